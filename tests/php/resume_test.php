<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\ResumeApplication;
use FrankenPHP\WebSocket\Router;
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

/** Notes whose network is away. */
final class Absences implements ResumeApplication
{
    /** @var list<string> */
    public array $told = [];

    public function onOpen(Connection $connection): void
    {
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        $this->told[] = "close $code";
    }

    public function onError(Connection $connection, \Throwable $error): void
    {
        $this->told[] = 'error ' . $error->getMessage();
    }

    public function onSuspend(Connection $connection): void
    {
        $this->told[] = "suspend $connection->id";
    }

    public function onResume(Connection $connection): void
    {
        if ($connection->query === 'broken') {
            throw new \LogicException('it fails');
        }
        $this->told[] = "resume $connection->id $connection->query $connection->path";
    }
}

test('a client whose network is away gets what it was sent when it is back', static function (): void {
    $absences = new Absences();
    $server = new FakeServer($absences);
    $ann = $server->connect(path: '/chat', id: 'ann', tags: ['room']);
    $ann->suspend();
    same(true, frankenphp_ws_getClient('ann')['suspended'] ?? null);
    same(true, frankenphp_ws_send('ann', 'one'));
    same(1, frankenphp_ws_sendToTag('room', 'two'));
    same([], $ann->take());
    throws(LogicException::class, 'the network of the client ann is away, so it cannot send', static fn () => $ann->send('hello'));
    $ann->resume('again=1');
    same(['one', 'two'], $ann->take());
    same(false, frankenphp_ws_getClient('ann')['suspended'] ?? null);
    same(['suspend ann', 'resume ann again=1 /chat'], $absences->told);
    throws(LogicException::class, 'the client ann is not away, so it cannot come back', static fn () => $ann->resume());
    $ann->suspend();
    throws(LogicException::class, 'the client ann has no connection that could break', static fn () => $ann->suspend());
    $ann->resume('broken');
    same('error it fails', $absences->told[3]);
    same(1, count($server->failures));
    $ann->suspend();
    $ann->vanish();
    same('close 1006', $absences->told[5]);
});

test('a router tells the application of the client, and one that does not ask for it is told nothing', static function (): void {
    $absences = new Absences();
    $other = new Recorder();
    $server = new FakeServer(new Router(routes: ['news' => $absences], default: $other), routes: ['app', 'news']);
    $news = $server->connect(route: 'news', id: 'n');
    $app = $server->connect(route: 'app', id: 'a');
    foreach ([$news, $app] as $client) {
        $client->suspend();
        $client->resume();
    }
    same(['suspend n', 'resume n  /'], $absences->told);
    same([], $server->failures);
});
