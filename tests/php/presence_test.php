<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\InvalidArgumentException;
use FrankenPHP\WebSocket\Member;
use FrankenPHP\WebSocket\PresenceApplication;
use FrankenPHP\WebSocket\Router;
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

/** Notes who joins and leaves. */
final class Attendance implements PresenceApplication
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

    public function onJoin(Member $member): void
    {
        $this->told[] = "+$member->user $member->tag $member->info";
        $member->channel()->send("$member->user is here");
    }

    public function onLeave(Member $member): void
    {
        if ($member->user === 'broken') {
            throw new \LogicException('it fails');
        }
        $this->told[] = "-$member->user $member->tag";
    }
}

test('the fake server tells who joins channels with presence, and who leaves them', static function (): void {
    $attendance = new Attendance();
    $server = new FakeServer($attendance, routes: ['app', 'news'], presence: ['app' => ['room:*' => 5000], 'news' => ['*' => 0]]);
    $first = $server->connect(user: 'ann', userInfo: 'Ann', tags: ['room:1', 'hall']);
    $second = $server->connect(user: 'ann', userInfo: 'Ann B.', tags: ['room:1']);
    $bob = $server->connect(tags: ['room:1']);
    same(['+ann room:1 Ann'], $attendance->told);
    same(true, frankenphp_ws_setUser($bob->id, 'bob'));
    same(['ann is here', 'bob is here'], $first->take());
    same([['user' => 'ann', 'info' => 'Ann B.', 'connections' => 2], ['user' => 'bob', 'info' => '', 'connections' => 1]], frankenphp_ws_presence('room:1', 'app'));

    $first->close();
    $second->vanish();
    $attendance->told = [];
    same(0, Member::in('room:1', 'app')[0]->connections);
    $server->advance(4999);
    $third = $server->connect(user: 'ann', tags: ['room:1']);
    same([], $attendance->told);
    $third->close();
    $server->advance(5000);
    same(['-ann room:1'], $attendance->told);
    same(true, frankenphp_ws_untagClient($bob->id, 'room:1'));
    same(['-ann room:1', '-bob room:1'], $attendance->told);
    same([], $server->failures);

    throws(InvalidArgumentException::class, 'it is not known who has this tag', static fn () => frankenphp_ws_presence('hall', 'app'));
    throws(InvalidArgumentException::class, 'several routes have presence', static fn () => Member::in('room:1'));
    throws(InvalidArgumentException::class, '$user must have 1 to 255 bytes, 0 given', static fn () => frankenphp_ws_setUser($bob->id, ''));
    throws(InvalidArgumentException::class, '$info must have at most 4096 bytes, 4097 given', static fn () => frankenphp_ws_setUser($bob->id, 'b', str_repeat('x', 4097)));
});

test('the clients of a user are sent to, listed and closed', static function (): void {
    $server = new FakeServer(new Recorder(), routes: ['app', 'news']);
    $phone = $server->connect(user: 'ann', id: 'phone');
    $laptop = $server->connect(user: 'ann', id: 'laptop', route: 'news');
    $bob = $server->connect(id: 'bob');
    same(['ann', null], [(new FrankenPHP\WebSocket\Client('phone'))->user(), (new FrankenPHP\WebSocket\Client('bob'))->user()]);
    same(1, Clients::ofUser('ann')->except('phone')->send('hi'));
    same([['hi'], []], [$laptop->take(), $phone->take()]);
    same([['phone', 'laptop'], ['laptop'], 2], [Clients::ofUser('ann')->ids(), Clients::ofUser('ann')->on('news')->ids(), count(Clients::ofUser('ann'))]);
    same(1, Clients::ofUser('ann')->on('news')->close(4003, 'banned'));
    same([4003, null, ['phone']], [$laptop->closeCode, $phone->closeCode, Clients::ofUser('ann')->ids()]);
    same(1, Clients::all()->except('phone')->close());
    same([1000, null], [$bob->closeCode, $phone->closeCode]);
    same(true, (new FrankenPHP\WebSocket\Client('phone'))->setUser(null));
    same([], Clients::ofUser('ann')->ids());
});

test('the router tells the application of the route who joins, and an application that does not ask is told nothing', static function (): void {
    [$chat, $other] = [new Attendance(), new Attendance()];
    $server = new FakeServer(
        new Router(routes: ['app' => $chat, 'news' => new Recorder()], default: $other),
        routes: ['app', 'news', 'else'],
        presence: ['app' => ['*' => 0], 'news' => ['*' => 0], 'else' => ['*' => 0]],
    );
    foreach (['app', 'news', 'else'] as $route) {
        $server->connect(user: $route, route: $route, tags: ['x']);
    }
    same([['+app x '], ['+else x '], []], [$chat->told, $other->told, $server->failures]);
});

test('a failing onLeave is a failed event and closes nobody', static function (): void {
    $server = new FakeServer(new Attendance(), closeOnError: true, presence: ['app' => ['*' => 0]]);
    $broken = $server->connect(user: 'broken', tags: ['x']);
    $other = $server->connect(user: 'other', tags: ['x']);
    $broken->close();
    same(1, count($server->failures));
    same(true, str_contains($server->failures[0], 'it fails'));
    same(null, $other->closeCode);
});
