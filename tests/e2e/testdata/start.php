<?php

declare(strict_types=1);

/* A worker that uses the functions as soon as it starts, at the top of its script and in onStart, and notes what came of it. */

use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Server;
use FrankenPHP\WebSocket\StartApplication;
use FrankenPHP\WebSocket\Timer;
use FrankenPHP\WebSocket\TimerApplication;

require __DIR__ . '/../../../php/autoload.php';
require __DIR__ . '/start_top.php';

top('start');

Server::run(new class () implements StartApplication, TimerApplication {
    private bool $started = false;

    public function onStart(): void
    {
        $this->started = true;
        date_default_timezone_set('Asia/Tokyo');
        Timer::after(1, 'of a start');
        if (frankenphp_ws_global_add('once', 'done')) {
            Timer::after(1, 'of the first start');
        }
        note('onStart');
    }

    public function onOpen(Connection $c): void
    {
        $c->send(json_encode([$this->started, date_default_timezone_get()]));
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        match ($data) {
            'tag' => $c->tag(''),
            'route' => FrankenPHP\WebSocket\Clients::all()->on('nowhere')->count(),
            'zone' => date_default_timezone_set('America/Lima'),
            default => $c->send(date_default_timezone_get()),
        };
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $c->send(basename($error->getFile()) . ':' . $error->getLine());
    }

    public function onTimer(Timer $timer): void
    {
        note($timer->payload);
    }
});
