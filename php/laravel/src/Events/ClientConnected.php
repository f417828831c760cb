<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Connection;

/** A client has connected. Only here does $connection know the query, headers and cookies of the handshake. */
final class ClientConnected
{
    public function __construct(public readonly Connection $connection)
    {
    }
}
