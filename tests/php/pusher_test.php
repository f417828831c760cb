<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Dispatcher;
use FrankenPHP\WebSocket\PusherApplication;
use FrankenPHP\WebSocket\Router;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

/** Notes what clients of the Pusher protocol do. */
final class PusherListener implements PusherApplication
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
    }

    public function onError(Connection $connection, \Throwable $error): void
    {
    }

    public function onSubscribe(Subscriber $subscriber): void
    {
        $this->told[] = "+$subscriber->id $subscriber->app $subscriber->channel $subscriber->user $subscriber->info";
        $subscriber->publish('welcome', '{}', others: true);
    }

    public function onUnsubscribe(Subscriber $subscriber): void
    {
        $this->told[] = "-$subscriber->id $subscriber->channel $subscriber->user";
    }

    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void
    {
        $this->told[] = "$subscriber->id $event $data";
    }
}

/** What a worker is told, by the route of it. */
function tellAll(Application $application): void
{
    $dispatcher = new Dispatcher($application);
    $of = ['id' => '1.2', 'route' => 'pusher', 'tag' => '7:presence-a', 'user' => 'ann'];
    $dispatcher->dispatch(['type' => 'subscribe', 'info' => '{}'] + $of);
    $dispatcher->dispatch(['type' => 'client_event', 'event' => 'client-x', 'data' => '1'] + $of);
    $dispatcher->dispatch(['type' => 'unsubscribe'] + $of);
}

test('an application is told what clients of the Pusher protocol do', static function (): void {
    $listener = new PusherListener();
    $server = new FakeServer($listener);
    $other = $server->connect(tags: ['7:presence-a']);
    tellAll($listener);
    same(['+1.2 7 presence-a ann {}', '1.2 client-x 1', '-1.2 presence-a ann'], $listener->told);
    same(['{"event":"welcome","channel":"presence-a","data":"{}"}'], $other->take());
});

test('a router tells it to the application of the route, and to nobody who does not ask', static function (): void {
    [$listener, $silent] = [new PusherListener(), new Recorder()];
    new FakeServer($listener);
    tellAll(new Router(routes: ['pusher' => $listener], default: $silent));
    same(3, count($listener->told));
    tellAll(new Router(default: $silent));
    tellAll($silent);
});
