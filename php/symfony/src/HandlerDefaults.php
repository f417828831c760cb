<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\Connection;

/** The methods of an application that a handler does not need. */
trait HandlerDefaults
{
    public function onOpen(Connection $connection): void
    {
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
    }

    public function onError(Connection $connection, \Throwable $error): void
    {
    }
}
