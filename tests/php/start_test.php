<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Application, Connection, Router, StartApplication, Timer, TimerApplication};
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

/** An application that notes what it is told, its start too. */
final class Starter implements StartApplication, TimerApplication
{
    /** @var list<string> of all of them */
    public static array $told = [];

    public function __construct(private readonly ?Closure $do = null)
    {
    }

    public function onStart(): void
    {
        self::$told[] = 'start';
        ($this->do ?? static fn () => null)();
    }

    public function onOpen(Connection $connection): void
    {
        self::$told[] = 'open';
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
    }

    public function onError(Connection $connection, Throwable $error): void
    {
    }

    public function onTimer(Timer $timer): void
    {
        self::$told[] = "timer $timer->payload";
    }
}

test('each thread is started once, before the first event', static function (): void {
    Starter::$told = [];
    $server = new FakeServer(static fn () => new Starter(), threads: 3);
    $server->connect();
    $server->connect();
    same(['start', 'start', 'start', 'open', 'open'], Starter::$told);
});

test('a timer with a name that every thread sets at its start is there once', static function (): void {
    Starter::$told = [];
    $server = new FakeServer(static fn () => new Starter(static function (): void {
        Timer::every(1000, 'tick', name: 'clock');
    }), threads: 4);
    $server->advance(2500);
    same(['start', 'start', 'start', 'start', 'timer tick', 'timer tick'], Starter::$told);
});

test('what one thread adds at its start is done once for all', static function (): void {
    $done = 0;
    $start = static function () use (&$done): void {
        $done += frankenphp_ws_global_add('cache warm', '1') ? 1 : 0;
    };
    new FakeServer(static fn () => new Starter($start), threads: 4);
    same(1, $done);
});

test('outside of its worker a timer needs the name of one', static function (): void {
    new FakeServer(static fn () => new Starter());
    throws(FrankenPHP\WebSocket\InvalidArgumentException::class, '$worker must be named outside of a worker', static fn () => Timer::after(1));
});

test('what onStart throws ends the start', static function (): void {
    throws(DomainException::class, 'no database', static fn () => new FakeServer(new Starter(static fn () => throw new DomainException('no database'))));
});

test('a router starts every application that wants it, each once', static function (): void {
    Starter::$told = [];
    [$one, $two] = [new Starter(static fn () => Starter::$told[] = 'one'), new Starter(static fn () => Starter::$told[] = 'two')];
    new FakeServer(new Router(['a' => $one, 'b' => new Recorder(), 'c' => $one], ['v1' => $two], $two));
    same(['start', 'two', 'start', 'one'], Starter::$told);
});
