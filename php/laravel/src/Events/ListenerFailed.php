<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Connection;

/** A listener of one of the events of a connection has thrown. The error has been reported, and the server counts and logs the failure. */
final class ListenerFailed
{
    public function __construct(public readonly Connection $connection, public readonly \Throwable $error)
    {
    }
}
