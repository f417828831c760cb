<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/../../examples/timers/Clock.php';
require_once __DIR__ . '/../../examples/chat/Chat.php';

test('the clock ticks while somebody listens, and starts again for the next one', static function (): void {
    $server = new FakeServer(new Clock());
    [$a, $b] = [$server->connect(), $server->connect()];
    $a->send('2 Tea!');
    $b->send('Tea!');
    $server->advance(3000);
    same([4, 4], [count($a->received), count($b->received)]);
    same([true, false], [in_array('Tea!', $a->take(), true), in_array('Tea!', $b->take(), true)]);
    $a->close();
    $b->vanish();
    $server->advance(1000);
    same(null, $server->timers->due());
    $c = $server->connect();
    $server->advance(1000);
    same([1, []], [count($c->received), $server->failures]);
});

test('applications that call the functions themselves run on the fake server too, as the chat does', static function (): void {
    $server = new FakeServer(new Chat(), ['chat'], histories: ['chat' => ['chat' => 100]], presence: ['chat' => ['chat:here' => 5000]]);
    $types = static fn (array $messages): array => array_map(static fn (string $m): string => json_decode($m, true)['type'], $messages);
    [$anna, $bob, $other] = [$server->connect(), $server->connect(), $server->connect()];
    array_map(static fn ($client): array => $client->take(), [$anna, $bob, $other]);
    $anna->send('{"type":"hello","name":"Anna","key":"1"}');
    $bob->send('{"type":"hello","name":"Bob","key":"2"}');
    $other->send('{"type":"hello","name":"ANNA","key":"3"}');
    same(['refused'], $types($other->take()));
    $bob->send('{"type":"whisper","to":"Anna","text":"psst"}');
    $got = $types($anna->take());
    sort($got);
    same(['joined', 'joined', 'welcome', 'whispered'], $got);
    $bob->vanish();
    same([], $anna->take());
    $server->advance(5000);
    same([['{"type":"left","name":"Bob"}'], []], [$anna->take(), $server->failures]);
});
