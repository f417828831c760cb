<?php

declare(strict_types=1);

namespace App\Listeners;

use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Laravel\Events\ClientConnected;
use FrankenPHP\WebSocket\Laravel\Events\ClientDisconnected;

/** In the worker, which serves /ws: what happens on connections is a Laravel event. All pages are told how many there are. */
final class CountClients
{
    public function handle(ClientConnected|ClientDisconnected $event): void
    {
        $clients = Clients::all()->on($event->connection->route);
        $clients->sendJson(['windows' => count($clients)]);
    }
}
