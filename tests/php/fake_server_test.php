<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Application, Client, Clients, Connection, Group, InvalidArgumentException, OutsideEventLoopException, Timer, UnknownRouteException};
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

test('before a fake server is made there are no functions', static function (): void {
    $script = 'require "' . __DIR__ . '/../../php/autoload.php"; echo (int) function_exists("frankenphp_ws_send");';
    same('0', shell_exec(escapeshellarg(PHP_BINARY) . ' -r ' . escapeshellarg($script)));
});

test('events arrive in order, and those that a handler causes after it', static function (): void {
    $recorder = new Recorder(['message' => static fn (Connection $c) => $c->close(4001, 'enough')]);
    $server = new FakeServer($recorder);
    $client = $server->connect();
    $client->send('one');
    same(['open', 'message one', 'close 4001 enough'], $recorder->told);
    same([4001, 'enough', false], [$client->closeCode, $client->closeReason, $client->isConnected()]);
    throws(LogicException::class, 'not connected any more', static fn () => $client->send('two'));
});

test('a client is known until its close event has been handled, and listed until the server closes it', static function (): void {
    $seen = [];
    $recorder = new Recorder([
        'open' => static fn (Connection $c) => $c->tag('t'),
        'message' => static function (Connection $c) use (&$seen): void {
            $c->cut();
            array_push($seen, count(Clients::all()), $c->send('reaches nobody'), Clients::all()->send('nor does this'));
        },
        'close' => static function (Connection $c) use (&$seen): void {
            array_push($seen, count(Clients::all()), $c->send('x'), $c->tags(), Clients::tagged('t')->ids());
            $seen[] = $c->tag('more');
        },
    ]);
    $server = new FakeServer($recorder);
    $client = $server->connect();
    $client->send('end');
    same([0, false, 0, 0, false, ['t'], [], false], $seen);
    same([[], []], [$server->failures, $client->received]);
    same([[], null], [frankenphp_ws_getTags($client->id), frankenphp_ws_getClient($client->id)]);
});

test('after the server has closed a client nothing of it is handled but its close event', static function (): void {
    foreach (['close' => 4001, 'cut' => 1006, 'fail' => 1011] as $how => $code) {
        $peer = $discarded = null;
        $recorder = new Recorder([
            'message' => static function (Connection $c, string $data) use (&$peer, $how): void {
                if ($data === 'first') {
                    array_map($peer->send(...), ['queued', 'behind it']);
                    match ($how) {
                        'close' => $c->close(4001, 'enough'),
                        'cut' => $c->cut(),
                        'fail' => frankenphp_ws_failEvent('no'),
                    };
                    same(false, $c->close());
                }
            },
            'close' => static function (Connection $c) use (&$discarded): void {
                $discarded = $c->facts()['messages_discarded'];
            },
        ]);
        $server = new FakeServer($recorder, closeOnError: true);
        $peer = $server->connect();
        $peer->send('first');
        same(['open', 'message first', rtrim("close $code " . ['close' => 'enough', 'cut' => 'the server cut the connection', 'fail' => ''][$how])], $recorder->told);
        same([$code, 2], [$peer->closeCode, $discarded]);
    }
});

test('a connection can be cut while its closing handshake is under way', static function (): void {
    $answers = [];
    $recorder = new Recorder(['message' => static function (Connection $c) use (&$answers): void {
        $c->close(4001, 'enough');
        $answers = [frankenphp_ws_killConnection($c->id), frankenphp_ws_killConnection($c->id), $c->send('x')];
    }, 'close' => static function (Connection $c) use (&$answers): void {
        $answers[] = frankenphp_ws_killConnection($c->id);
    }]);
    $server = new FakeServer($recorder);
    $client = $server->connect();
    $client->send('x');
    same([true, true, false, false], $answers);
    same(['open', 'message x', 'close 4001 the server cut the connection'], $recorder->told);
    same([1006, ''], [$client->closeCode, $client->closeReason]);
});

test('a client whose first event fails is closed, whatever on_error says', static function (): void {
    foreach ([true, false] as $close) {
        $recorder = new Recorder(['open' => static fn () => throw new DomainException('who is that?')]);
        $server = new FakeServer($recorder, closeOnError: $close);
        $client = $server->connect();
        same(['open', 'error who is that?', 'close 1011'], $recorder->told);
        same([1011, 1], [$client->closeCode, count($server->failures)]);
    }
});

test('a handler that throws fails its event once, and on_error closes or goes on', static function (): void {
    $throw = ['message' => static fn () => throw new DomainException('no'), 'error' => static fn () => throw new LogicException('again')];
    foreach ([true, false] as $close) {
        $server = new FakeServer($recorder = new Recorder($throw), closeOnError: $close);
        $client = $server->connect();
        $client->send('x');
        same(1, count($server->failures));
        same(1, preg_match('/^DomainException: no in \S+:\d+\n#0 .*\nthen onError threw LogicException: again in /s', $server->failures[0]));
        same($close ? 1011 : null, $client->closeCode);
        same($close ? 'close 1011' : 'error no', end($recorder->told));
    }
    throws(OutsideEventLoopException::class, 'failEvent', static fn () => frankenphp_ws_failEvent('outside'));
});

test('what a request outside the application does takes effect at once', static function (): void {
    $server = new FakeServer($recorder = new Recorder());
    $client = $server->connect();
    same(1, Clients::all()->send('from a form'));
    same(['from a form'], $client->take());
    same([], $client->take());
    frankenphp_ws_close($client->id, 1001);
    same(['open', 'close 1001'], $recorder->told);
});

test('a batch returns what its functions returned, and throws the first failure at its end', static function (): void {
    $server = new FakeServer(new Recorder());
    $client = $server->connect();
    $asked = null;
    same([true, true, 1, false, 7, true], frankenphp_ws_batch(static function () use ($client, &$asked): void {
        frankenphp_ws_send($client->id, 'x');
        frankenphp_ws_tagClient($client->id, 't');
        $asked = frankenphp_ws_getTags($client->id);
        frankenphp_ws_sendToTag('t', 'y');
        frankenphp_ws_send('nobody', 'x');
        frankenphp_ws_global_increment('n', 7);
        frankenphp_ws_global_delete('n');
    }));
    same([['t'], ['x', 'y']], [$asked, $client->take()]);
    throws(UnknownRouteException::class, 'call 2 of 4 in the batch: no route is named "nowhere": there is only "app" (1 more failed', static fn () => frankenphp_ws_batch(static function (): void {
        frankenphp_ws_tagClient('nobody', 't');
        frankenphp_ws_sendAll('x', 'nowhere');
        frankenphp_ws_global_set('', 'no key');
        frankenphp_ws_global_set('behind', '1');
    }));
    same('1', frankenphp_ws_global_get('behind'));
    throws(DomainException::class, 'own', static fn () => frankenphp_ws_batch(static fn () => throw new DomainException('own')));
    same([], frankenphp_ws_batch(static fn () => null));
});

test('a name of a visitor means nothing but itself in an expression', static function (): void {
    $server = new FakeServer(new Recorder());
    $names = ['a', '*', 'x|vip', 'a b', '"', '\\', '\\"', '"|*|"', '!a', '(', "\n", "\0", '?', '0', "größe\u{3000}", '&', str_repeat('"', 250)];
    $clients = [];
    foreach ($names as $name) {
        $clients[$name] = $server->connect(tags: ["room_$name", 'vip', 'x']);
    }
    foreach ($names as $name) {
        same([$clients[$name]->id], Clients::matching('room_?', (string) $name)->ids());
        same([$clients[$name]->id], Clients::matching('vip&(room_?|?)&!none', (string) $name, (string) $name)->ids());
        same(count($names) - 1, count(Clients::matching('!room_?', (string) $name)));
        same([$clients[$name]->id], frankenphp_ws_getClientsByTagExpression(frankenphp_ws_quoteTag("room_$name")));
        same([$clients[$name]->id], frankenphp_ws_getClientsByTagExpression('room_' . frankenphp_ws_quoteTag((string) $name)));
    }
    same(count($names), count(Clients::matching('*_*')));
    same([], Clients::matching('room_?', '')->ids());
    throws(ArgumentCountError::class, 'has 1 placeholders (?), and 2 tags', static fn () => Clients::matching('room_?&"?"', 'a', 'b'));
    throws(ArgumentCountError::class, 'has 0 placeholders (?), and 1 tags', static fn () => Clients::matching('"?', 'a'));
    throws(InvalidArgumentException::class, '$tag must be valid UTF-8', static fn () => Clients::matching('?', "\xff"));
    throws(InvalidArgumentException::class, 'byte 0: expected a tag', static fn () => Clients::matching('?', '')->ids());
});

test('a client that does not read makes sends fail for itself alone', static function (): void {
    $server = new FakeServer(new Recorder());
    [$slow, $other] = [$server->connect(), $server->connect()];
    $slow->stalled = true;
    same([false, 1], [(new Client($slow->id))->send('x'), Clients::all()->send('y')]);
    same([[], ['y']], [$slow->take(), $other->take()]);
    throws(InvalidArgumentException::class, 'max_outbox', static fn () => (new Client($other->id))->send(str_repeat('x', (4 << 20) + 1)));
    same(0, Clients::all()->sendBinary(str_repeat('x', (4 << 20) + 1)));
    same([true, 1], [(new Client($other->id))->send(str_repeat('x', 4 << 20)), Clients::all()->sendBinary(str_repeat('x', 4 << 20))]);
});

test('time stands still until it is advanced: values expire and timers go off in order', static function (): void {
    $server = new FakeServer($recorder = new Recorder(['timer' => static fn (Timer $t) => $t->payload !== 'stop' || Timer::after(100, 'later')]));
    frankenphp_ws_global_set('k', 'v', 2);
    $every = Timer::every(400, 'tick', 'app');
    Timer::after(500, 'stop', 'app');
    $server->advance(399);
    same([], $recorder->told);
    $server->advance(1);
    same(['timer tick'], $recorder->told);
    $server->advance(1599);
    same(['timer tick', 'timer stop', 'timer later', 'timer tick', 'timer tick', 'timer tick'], array_slice($recorder->told, 0, 6));
    same(['v', 1], [frankenphp_ws_global_get('k'), frankenphp_ws_global_ttl('k')]);
    same([true, false], [$every->cancel(), $every->cancel()]);
    $server->advance(1);
    same([false, null], [frankenphp_ws_global_has('k'), frankenphp_ws_global_ttl('k')]);
    $told = count($recorder->told);
    $server->advance(10_000);
    same($told, count($recorder->told));
});

test('a timer with a name is set once, and another one takes its place', static function (): void {
    $server = new FakeServer($recorder = new Recorder());
    $set = static fn (int $ms, string $payload, ?string $name = 'clock', bool $repeat = true): int => frankenphp_ws_setTimer($ms, $payload, $repeat, 'app', $name);
    $first = $set(1000, 'tick');
    $server->advance(900);
    same($first, $set(1000, 'tick'));
    $server->advance(100);
    same(['timer tick'], $recorder->told);
    $second = $set(500, 'tick');
    same([true, false], [$second > $first, frankenphp_ws_clearTimer($first)]);
    same([true, true], [$set(500, 'tick', null) > $second, $set(500, 'tick', 'other') > $second]);
    // A one-off that has gone off has left its name.
    $once = $set(100, 'once', 'once', false);
    same($once, $set(100, 'once', 'once', false));
    $server->advance(100);
    same(true, $set(100, 'once', 'once', false) > $once);
    throws(InvalidArgumentException::class, '$name must have 1 to 255 bytes, 0 given', static fn () => $set(1, '', ''));
    throws(InvalidArgumentException::class, '$name must have 1 to 255 bytes, 256 given', static fn () => $set(1, '', str_repeat('x', 256)));
    throws(InvalidArgumentException::class, '$name must be valid UTF-8', static fn () => $set(1, '', "\xff"));
});

test('a timer of an application without onTimer is a failed event that says so', static function (): void {
    $server = new FakeServer(new class () implements Application {
        public function onOpen(Connection $connection): void
        {
            Timer::after(1);
        }

        public function onMessage(Connection $connection, string $data, bool $binary): void
        {
        }

        public function onClose(Connection $connection, int $code, string $reason): void
        {
        }

        public function onError(Connection $connection, Throwable $error): void
        {
        }
    });
    $server->connect();
    $server->advance(1);
    same(1, count($server->failures));
    same(true, str_contains($server->failures[0], 'does not implement FrankenPHP\WebSocket\TimerApplication'));
});

test('a client may come with an id, tags and stored information', static function (): void {
    $seen = [];
    $server = new FakeServer(new Recorder(['open' => static function (Connection $c) use (&$seen): void {
        $seen = [$c->id, $c->tags(), $c->information()->all()];
    }]));
    $client = $server->connect(id: 'anna', tags: ['staff', 'admin'], information: ['name' => 'Anna']);
    same(['anna', ['admin', 'staff'], ['name' => 'Anna']], $seen);
    throws(LogicException::class, 'anna is taken', static fn () => $server->connect(id: 'anna'));
    $client->close();
    same('anna', $server->connect(id: 'anna')->id);
});

test('a timer that is set outside of an event must name the worker', static function (): void {
    new FakeServer(new Recorder(), worker: 'chat');
    throws(InvalidArgumentException::class, '$worker must be named', static fn () => Timer::after(1));
    throws(InvalidArgumentException::class, '"app"', static fn () => Timer::after(1, worker: 'app'));
    same(true, Timer::after(1, worker: 'chat')->cancel());
});

test('mistakes of the test itself are said', static function (): void {
    $server = new FakeServer(new Recorder(), ['a', 'b']);
    throws(LogicException::class, 'a, b', static fn () => $server->connect(route: 'c'));
    throws(LogicException::class, 'UTF-8', static fn () => $server->connect()->send("\xff"));
    same(['a', 'b'], frankenphp_ws_listRoutes());
});

test('choices of clients are the same objects however often they are narrowed', static function (): void {
    $server = new FakeServer(new Recorder(['open' => static fn (Connection $c) => (new Group('g'))->add($c)]), ['a', 'b']);
    [$one, $two, $three] = [$server->connect(), $server->connect(route: 'b'), $server->connect(route: 'b')];
    $members = (new Group('g'))->members();
    same([$two->id, $three->id], $members->on('b')->ids());
    same([$three->id], $members->on('b')->except($two->id)->ids());
    same([$one->id, $two->id, $three->id], $members->ids());
    same([3, 2, 2, 1], [count($members), count($members->on('b')), count($members->except(new Client($one->id))), count(Clients::all()->on('a'))]);
    same(1, Clients::matching('group:*')->on('b')->except($two->id)->sendBinary("\xff"));
    same([true, "\xff"], [$three->received[0]->binary, $three->received[0]->data]);
});
