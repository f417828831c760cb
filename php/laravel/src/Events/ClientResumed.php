<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Connection;

/** A client that was waited for is back. $connection knows the query, headers and cookies of its new request. */
final class ClientResumed
{
    public function __construct(public readonly Connection $connection)
    {
    }
}
