<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Router, Timer};
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

test('the sub-protocol chooses before the route, the route before the default', static function (): void {
    [$v1, $admin, $rest] = [new Recorder(), new Recorder(), new Recorder()];
    $server = new FakeServer(new Router(['admin' => $admin], ['chat.v1' => $v1], $rest), ['chat', 'admin']);
    foreach ([['chat', 'chat.v1'], ['admin', 'chat.v1'], ['admin', ''], ['chat', 'unknown'], ['chat', '']] as $i => [$route, $subprotocol]) {
        $client = $server->connect(subprotocol: $subprotocol, route: $route);
        $client->send((string) $i);
        $client->close(1001);
    }
    same(['open', 'message 0', 'close 1001', 'open', 'message 1', 'close 1001'], $v1->told);
    same(['open', 'message 2', 'close 1001'], $admin->told);
    same(['open', 'message 3', 'close 1001', 'open', 'message 4', 'close 1001'], $rest->told);
    same([], $server->failures);
});

test('what fits no application is refused with 1008, and nobody hears of it', static function (): void {
    $admin = new Recorder();
    $server = new FakeServer(new Router(['admin' => $admin], ['chat.v1' => $admin]), ['chat', 'admin']);
    $client = $server->connect(subprotocol: 'chat.v2');
    same([1008, 'no application for this route and sub-protocol'], [$client->closeCode, $client->closeReason]);
    same([[], []], [$admin->told, $server->failures]);
});

test('errors reach the application that made them', static function (): void {
    [$bad, $good] = [new Recorder(['message' => static fn () => throw new DomainException('bad')]), new Recorder()];
    $server = new FakeServer(new Router(['good' => $good], ['bad.v1' => $bad]), ['good']);
    $server->connect(subprotocol: 'bad.v1')->send('x');
    same([['open', 'message x', 'error bad'], []], [$bad->told, $good->told]);
    same(1, count($server->failures));
});

test('a timer reaches every application once, even behind one that fails', static function (): void {
    [$bad, $good] = [new Recorder(['timer' => static fn () => throw new DomainException('bad')]), new Recorder()];
    $server = new FakeServer(new Router(['a' => $bad, 'b' => $good, 'c' => $good]));
    Timer::after(1, 'now', 'app');
    $server->advance(1);
    same([['timer now'], ['timer now']], [$bad->told, $good->told]);
    same(true, str_starts_with($server->failures[0], 'DomainException: bad'));
});

test('anything but applications is refused when the router is made', static function (): void {
    throws(TypeError::class, 'string given', static fn () => new Router(['a' => 'Chat']));
});
