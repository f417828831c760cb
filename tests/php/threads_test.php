<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Application, Clients, Connection};
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

/** What a port from a server of one process looks like at first: its clients are in a property. */
final class NaiveChat implements Application
{
    private SplObjectStorage $clients;

    /** @var array<string, int> */
    private array $counts = [];

    public function __construct()
    {
        $this->clients = new SplObjectStorage();
    }

    public function onOpen(Connection $connection): void
    {
        $this->clients[$connection] = true;
        $this->counts[$connection->id] = 0;
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        foreach ($this->clients as $client) {
            if ($client->id !== $connection->id) {
                $client->send($data);
            }
        }
        $this->counts[$connection->id] = ($this->counts[$connection->id] ?? 0) + 1;
        $connection->send((string) $this->counts[$connection->id]);
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        unset($this->clients[$connection]);
    }

    public function onError(Connection $connection, Throwable $error): void
    {
    }
}

test('an application that keeps its clients in a property loses them on several threads', static function (): void {
    $play = static function (Application|Closure $application): array {
        $server = new FakeServer($application);
        [$anna, $bob] = [$server->connect(), $server->connect()];
        $anna->send('hello');

        return $bob->take();
    };
    same(['hello'], $play(new NaiveChat()));
    same([], $play(static fn (): NaiveChat => new NaiveChat()));
    same(['hello'], $play(static fn (): Recorder => new Recorder(['message' => static fn (Connection $c, string $data) => Clients::all()->except($c)->send($data)])));
});

test('what belongs to one connection is lost, too, however the events of several alternate', static function (): void {
    foreach ([1, 2, 3, 4, 5] as $clients) {
        foreach ([2, 3, 4] as $threads) {
            $server = new FakeServer(static fn (): NaiveChat => new NaiveChat(), threads: $threads);
            $connected = array_map(static fn () => $server->connect(), range(1, $clients));
            foreach (['1', '2', '3'] as $nth) {
                foreach ($connected as $client) {
                    $client->take();
                    $client->send('x');
                    $counted = $client->take();
                    same("$clients clients, $threads threads: not $nth", "$clients clients, $threads threads: " . (end($counted) === $nth && $nth !== '1' ? '' : 'not ') . $nth);
                }
            }
        }
    }
});

test('every thread has an application of its own, made before the first event', static function (): void {
    $made = [];
    $server = new FakeServer(static function () use (&$made): Recorder {
        // The functions are there already, as in a worker script before its loop.
        frankenphp_ws_global_increment('made');

        return $made[] = new Recorder();
    }, threads: 3);
    same([3, '3'], [count($made), frankenphp_ws_global_get('made')]);
    $client = $server->connect();
    foreach (range(1, 4) as $n) {
        $client->send((string) $n);
    }
    $client->close();
    same([['open', 'message 3'], ['message 1', 'message 4'], ['message 2', 'close 1000']], array_map(static fn (Recorder $recorder): array => $recorder->told, $made));
    throws(LogicException::class, 'at least one thread', static fn () => new FakeServer(static fn () => new Recorder(), threads: 0));
    throws(TypeError::class, 'Application', static fn () => new FakeServer(static fn () => new stdClass()));
});
