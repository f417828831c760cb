<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Connection;

/** A connection has ended: nothing can be sent on it any more. Its tags and stored information can still be read. */
final class ClientDisconnected
{
    public function __construct(public readonly Connection $connection, public readonly int $code, public readonly string $reason)
    {
    }
}
