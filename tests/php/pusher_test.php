<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\ChannelApplication;
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

/** Notes what becomes of channels. */
final class ChannelListener implements ChannelApplication
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

    public function onChannelOccupied(Channel $channel): void
    {
        $this->told[] = "occupied $channel->app $channel->name $channel->route";
    }

    public function onChannelVacated(Channel $channel): void
    {
        $this->told[] = "vacated $channel->tag";
    }

    public function onCacheMiss(Channel $channel): void
    {
        $this->told[] = "missed $channel->name";
        if ($channel->name === 'cache-fails') {
            throw new DomainException('no prices');
        }
        $channel->publish('state', '{}', exceptSocketId: '1.2');
    }

    public function onSubscriptionCount(Channel $channel, int $count): void
    {
        $this->told[] = "$channel->name $count";
    }
}

/** What a worker that a webhook names is told. */
function tellOfChannel(Application $application): void
{
    $dispatcher = new Dispatcher($application);
    $of = ['route' => 'pusher', 'tag' => '7:cache-a:b'];
    $dispatcher->dispatch(['type' => 'channel_occupied'] + $of);
    $dispatcher->dispatch(['type' => 'cache_miss'] + $of);
    $dispatcher->dispatch(['type' => 'subscription_count', 'count' => 3] + $of);
    $dispatcher->dispatch(['type' => 'channel_vacated'] + $of);
}

test('an application is told what becomes of channels, and can publish to them', static function (): void {
    $listener = new ChannelListener();
    $server = new FakeServer($listener);
    $client = $server->connect(tags: ['7:cache-a:b']);
    tellOfChannel($listener);
    same(['occupied 7 cache-a:b pusher', 'missed cache-a:b', 'cache-a:b 3', 'vacated 7:cache-a:b'], $listener->told);
    same(['{"event":"state","channel":"cache-a:b","data":"{}"}'], $client->take());
});

test('a router tells what becomes of channels to the application of the route, and to nobody who does not ask', static function (): void {
    [$listener, $silent] = [new ChannelListener(), new PusherListener()];
    new FakeServer($listener);
    tellOfChannel(new Router(routes: ['pusher' => $listener], default: $silent));
    same(4, count($listener->told));
    tellOfChannel(new Router(default: $listener));
    same(8, count($listener->told));
    tellOfChannel(new Router(default: $silent));
    tellOfChannel($silent);
    same([], $silent->told);
});

test('a test says what happens in the Pusher protocol, and the application is told as by the server', static function (): void {
    $server = new FakeServer(static fn (): Application => new Router(routes: ['pusher' => new ChannelListener(), 'app' => new PusherListener()]), ['app', 'pusher']);
    $client = $server->connect(tags: ['7:cache-a']);
    $server->tellOfChannel('cache_miss', new Channel('7:cache-a', 'pusher'));
    same(['{"event":"state","channel":"cache-a","data":"{}"}'], $client->take());
    $listener = new ChannelListener();
    $server = new FakeServer(new Router(routes: ['pusher' => $listener]), ['pusher']);
    $channel = new Channel('7:a:b', 'pusher');
    foreach (['channel_occupied', 'subscription_count', 'channel_vacated'] as $what) {
        $server->tellOfChannel($what, $channel, 3);
    }
    same(['occupied 7 a:b pusher', 'a:b 3', 'vacated 7:a:b'], $listener->told);
    same([], $server->failures);
});

test('a test says what a client of the Pusher protocol does', static function (): void {
    $listener = new PusherListener();
    $server = new FakeServer($listener);
    $ann = new Subscriber('1.2', 'app', '7:private-a', 'ann', '{}');
    $server->tellOfSubscriber('subscribe', $ann);
    $server->tellOfSubscriber('client_event', $ann, 'client-x', '[1]');
    $server->tellOfSubscriber('unsubscribe', $ann);
    same(['+1.2 7 private-a ann {}', '1.2 client-x [1]', '-1.2 private-a ann'], $listener->told);
});

test('what fails on such an event is in failures, and what a test says wrongly is an error of the test', static function (): void {
    $server = new FakeServer(new ChannelListener());
    $server->tellOfChannel('cache_miss', new Channel('7:cache-fails', 'app'));
    same(1, count($server->failures));
    same(true, str_starts_with($server->failures[0], 'DomainException: no prices in ' . __FILE__));
    throws(LogicException::class, 'no event "cache_missed" here', static fn () => $server->tellOfChannel('cache_missed', new Channel('7:a', 'app')));
    throws(LogicException::class, 'no route "pusher"', static fn () => $server->tellOfSubscriber('subscribe', new Subscriber('1.2', 'pusher', '7:a')));
});

test('an event that a newer server has is not the business of an application', static function (): void {
    $listener = new ChannelListener();
    $dispatcher = new Dispatcher($listener);
    $dispatcher->dispatch(['type' => 'channel_renamed', 'route' => 'pusher', 'tag' => '7:a']);
    $dispatcher->dispatch(['type' => 'waved', 'id' => '1.2', 'route' => 'pusher']);
    same([], $listener->told);
});
