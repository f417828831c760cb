<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Application, Clients, Connection, Router};
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

test('path, ip and sub-protocol are known in every event, also in onClose, and query, headers and cookies in onOpen', static function (): void {
    $seen = [];
    $look = static function (Connection $c) use (&$seen): void {
        $seen[] = [$c->path, $c->ip, $c->subprotocol, isset($c->path), $c->query, $c->headers, $c->cookies];
    };
    $server = new FakeServer(new Recorder(['open' => $look, 'message' => $look, 'close' => $look]));
    $client = $server->connect('a=b', '/rooms', ['X-Y' => 'z'], ['k' => 'v'], '192.0.2.7', 'chat.v1');
    $client->send('x');
    $client->vanish();
    $later = ['/rooms', '192.0.2.7', 'chat.v1', true, null, null, null];
    same([['/rooms', '192.0.2.7', 'chat.v1', true, 'a=b', ['x-y' => 'z'], ['k' => 'v']], $later, $later], $seen);
});

test('the server is asked for them once, and only if they are read', static function (): void {
    $kept = null;
    $server = new FakeServer(new Recorder(['message' => static function (Connection $c) use (&$kept): void {
        $kept = $c;
    }]));
    $client = $server->connect(path: '/x');
    $client->send('1');
    // The server knows nothing of the client by now, so it was not asked before.
    $client->close();
    same([null, null, null, false], [$kept->path, $kept->ip, $kept->subprotocol, isset($kept->ip)]);
    $client = $server->connect(path: '/x');
    $client->send('2');
    same('/x', $kept->path);
    $client->close();
    same(['/x', '127.0.0.1', '', true], [$kept->path, $kept->ip, $kept->subprotocol, isset($kept->ip)]);
});

test('they cannot be changed, and nothing else is there', static function (): void {
    $server = new FakeServer(new Recorder(['message' => static function (Connection $c): void {
        throws(Error::class, 'readonly', static fn () => $c->path = '/other');
        throws(ErrorException::class, 'Undefined property', static fn () => $c->address);
        same(false, isset($c->address));
    }]));
    $server->connect()->send('x');
    same([], $server->failures);
});

test('a router knows the sub-protocol of a client that has lost its tags', static function (): void {
    $v1 = new Recorder(['open' => static fn (Connection $c) => frankenphp_ws_clearTagClient($c->id)]);
    $server = new FakeServer(new Router([], ['chat.v1' => $v1], $rest = new Recorder()));
    $client = $server->connect(subprotocol: 'chat.v1');
    $client->send('x');
    $client->close();
    same([['open', 'message x', 'close 1000'], []], [$v1->told, $rest->told]);
});

test('a value is sent as JSON, and what cannot be encoded is not sent at all', static function (): void {
    $server = new FakeServer(new Recorder(['message' => static fn (Connection $c) => $c->sendJson(['to' => 'one', 'url' => '/é'])]));
    [$a, $b] = [$server->connect(), $server->connect()];
    $a->send('x');
    same(2, Clients::all()->sendJson([1.0, null], JSON_PRESERVE_ZERO_FRACTION));
    same([['{"to":"one","url":"/é"}', '[1.0,null]'], ['[1.0,null]']], [$a->take(), $b->take()]);
    same(false, $a->received[0]->binary);
    foreach (["\xff", NAN, fopen('php://memory', 'r')] as $impossible) {
        foreach ([0, JSON_PARTIAL_OUTPUT_ON_ERROR] as $flags) {
            throws(JsonException::class, '', static fn () => Clients::all()->sendJson($impossible, $flags));
        }
    }
    $server = new FakeServer(new Recorder(['message' => static fn (Connection $c) => $c->sendJson("\xff")]));
    $client = $server->connect();
    $client->send('x');
    same([[], 1], [$client->received, count($server->failures)]);
});
