<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Connection;

/** The connection of a client broke, and the client is waited for, on routes with `resume`. */
final class ClientSuspended
{
    public function __construct(public readonly Connection $connection)
    {
    }
}
