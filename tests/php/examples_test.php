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
    $server = new FakeServer(new Chat(), ['chat']);
    [$anna, $bob, $other] = [$server->connect(), $server->connect(), $server->connect()];
    $anna->send('{"type":"hello","name":"Anna","key":"1"}');
    $bob->send('{"type":"hello","name":"Bob","key":"2"}');
    $other->send('{"type":"hello","name":"ANNA","key":"3"}');
    same('refused', json_decode($other->take()[0], true)['type']);
    $bob->send('{"type":"whisper","to":"' . $anna->id . '","text":"psst"}');
    same(['welcome', 'joined', 'whispered'], array_map(static fn (string $m): string => json_decode($m, true)['type'], $anna->take()));
    $bob->vanish();
    same([['{"type":"left","id":"' . $bob->id . '"}'], []], [$anna->take(), $server->failures]);
});
