<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Application, Clients, Connection};

/** The application of the sub-protocol upper.v1. */
final class Upper implements Application
{
    public function onOpen(Connection $c): void
    {
        $c->send("upper: $c->subprotocol");
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        $data !== 'throw' || throw new DomainException('from upper');
        Clients::tagged('subprotocol:upper.v1')->send(strtoupper($data));
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
        Clients::tagged('all')->send("upper: gone with $code");
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $c->send('upper: ' . $error->getMessage());
    }
}
