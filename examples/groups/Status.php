<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Group;

/** A second application on the same route, for clients of the sub-protocol status.v1: who is there, told anew when it changes. */
final class Status implements Application
{
    public static function changed(): void
    {
        // The router tags the clients of a sub-protocol.
        Clients::tagged('subprotocol:status.v1')->sendJson(self::describe());
    }

    public function onOpen(Connection $c): void
    {
        $c->sendJson(self::describe());
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        $c->close(1003, 'status.v1 takes no messages');
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
    }

    public function onError(Connection $c, Throwable $error): void
    {
    }

    /** @return array<string, mixed> */
    private static function describe(): array
    {
        $groups = [];
        foreach (Group::names() as $name) {
            $groups[$name] = count((new Group($name))->members());
        }

        return ['users' => Group::users(), 'groups' => (object) $groups];
    }
}
