<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\InvalidArgumentException;
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

test('the fake server keeps what is sent to channels and sends it to a client that joins', static function (): void {
    $server = new FakeServer(new Recorder(), routes: ['app', 'news'], histories: ['app' => ['room:*' => 2], 'news' => ['*' => 9]]);
    foreach (['one', 'two', 'three'] as $text) {
        frankenphp_ws_sendToTag('room:1', $text, 'app');
    }
    $client = $server->connect();
    same(true, frankenphp_ws_tagClient($client->id, 'room:1', ''));
    frankenphp_ws_sendToTag('room:1', 'four', 'app');
    same(['two', 'three', 'four'], $client->take());
    same(true, frankenphp_ws_tagClient($client->id, 'room:1', ''));
    same([], $client->take());

    $history = frankenphp_ws_history('room:1', route: 'app');
    same(['three', 'four'], array_column($history['messages'], 'data'));
    same([3, 4], array_column($history['messages'], 'offset'));
    same(false, $history['complete']);
    same(['four'], array_column(frankenphp_ws_history('room:1', since: $history['messages'][0]['position'], route: 'app')['messages'], 'data'));
    same(true, frankenphp_ws_history('room:1', since: $history['position'], route: 'app')['complete']);
    same(['four'], array_column(frankenphp_ws_history('room:1', 1, route: 'app')['messages'], 'data'));
    same([], frankenphp_ws_history('room:2', route: 'app')['messages']);

    throws(InvalidArgumentException::class, 'several routes', static fn () => frankenphp_ws_history('room:1'));
    throws(InvalidArgumentException::class, 'no history is kept', static fn () => frankenphp_ws_history('hall', route: 'app'));
    throws(InvalidArgumentException::class, '$since must be a position', static fn () => frankenphp_ws_tagClient($client->id, 'room:3', 'x'));
    same(true, frankenphp_ws_clearHistory('room:1', 'app'));
    same(false, frankenphp_ws_clearHistory('room:1', 'app'));
});
