<?php

declare(strict_types=1);

/* A worker with the package: its application throws where the tests tell it to. */

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Server;

require __DIR__ . '/../../../php/autoload.php';

Server::run(new class () implements Application {
    public function onOpen(Connection $c): void
    {
        $c->tag('app');
        if ($c->query === 'throw') {
            throw new DomainException('from onOpen');
        }
        $c->send(json_encode($c, JSON_THROW_ON_ERROR));
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        match ($data) {
            'throw' => throw new DomainException('from onMessage'),
            'throw twice' => throw new DomainException('first'),
            'type error' => strlen([]),
            'facts' => $c->send(json_encode($c, JSON_THROW_ON_ERROR)),
            'tags' => $c->send(implode(',', $c->tags())),
            'untag' => $c->untag('app'),
            'close' => $c->close(4002, 'as you wish'),
            default => $binary ? $c->sendBinary($data) : $c->send($data),
        };
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
        file_put_contents(getenv('E2E_DIR') . '/closed', "$c->id $code $reason\n", FILE_APPEND | LOCK_EX);
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $c->send('caught ' . $error->getMessage());
        if ($error->getMessage() === 'first') {
            throw new LogicException('second');
        }
    }
});
