<?php

declare(strict_types=1);

namespace App\Listeners;

use FrankenPHP\WebSocket\Laravel\Events\ClientConnected;
use FrankenPHP\WebSocket\Laravel\Events\ClientDisconnected;
use Illuminate\Support\Facades\Log;

/** In the worker: what happens on connections is a Laravel event. */
final class CountClients
{
    public function handle(ClientConnected|ClientDisconnected $event): void
    {
        Log::info(class_basename($event), ['client' => $event->connection->id]);
    }
}
