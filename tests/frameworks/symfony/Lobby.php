<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;

/** Two routes by name. */
#[AsWebSocketHandler(route: 'lobby')]
#[AsWebSocketHandler(route: 'hall')]
final class Lobby implements Application
{
    use HandlerDefaults;

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $connection->send("$connection->route: $data");
    }
}
