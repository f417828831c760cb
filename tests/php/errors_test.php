<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Client, Clients, Connection, Group, Logger, Router, Timer};
use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

test('errors of the package point at the line that has called it', static function (): void {
    $server = new FakeServer(new Recorder());
    $id = $server->connect()->id;
    $calls = [
        [static fn () => (new Client($id))->tag(''), __LINE__],
        [static fn () => (new Client($id))->send("\xff"), __LINE__],
        [static fn () => (new Client($id))->sendJson(NAN), __LINE__],
        [static fn () => (new Client($id))->close(999), __LINE__],
        [static fn () => (new Client($id))->information()->set('', 'x'), __LINE__],
        [static fn () => Clients::matching('(a')->send('x'), __LINE__],
        [static fn () => Clients::all()->on('nowhere')->count(), __LINE__],
        [static fn () => iterator_to_array(Clients::tagged(str_repeat('x', 300))), __LINE__],
        [static fn () => (new Group("\xff"))->add(new Client($id)), __LINE__],
        [static fn () => Timer::after(0), __LINE__],
        [static fn () => (new Logger())->log('loud', 'x'), __LINE__],
        [static fn () => new Router(['a' => new stdClass()]), __LINE__],
        [static fn () => new FakeServer(new Recorder(), threads: 0), __LINE__],
        [static fn () => $server->connect(route: 'nowhere'), __LINE__],
        [static fn () => frankenphp_ws_tagClient($id, ''), __LINE__],
        [static fn () => frankenphp_ws_batch(static fn () => frankenphp_ws_tagClient($id, '')), __LINE__],
        [static fn () => frankenphp_ws_failEvent('x'), __LINE__],
        [static fn () => frankenphp_ws_nextEvent(), __LINE__],
    ];
    foreach ($calls as [$call, $line]) {
        try {
            $call();
        } catch (Throwable $error) {
            same([__FILE__, $line, $error->getMessage()], [$error->getFile(), $error->getLine(), $error->getMessage()]);
            continue;
        }
        throw new Failure("the call of line $line has not thrown");
    }
});

/** @return string what is logged of a handler that throws what $throw throws */
function cause(Closure $throw): string
{
    $server = new FakeServer(new Recorder(['message' => $throw]));
    $server->connect()->send('secret message');

    return $server->failures[0];
}

final class Deep
{
    public static function down(int $levels, string $secret): never
    {
        $levels > 0 ? self::down($levels - 1, $secret) : throw new DomainException('at the bottom');
    }
}

test('a failed event is told with a trace of at most ten frames, and without values', static function (): void {
    $cause = cause(static fn () => Deep::down(2, 'secret argument'));
    $lines = explode("\n", $cause);
    same(true, str_starts_with($lines[0], 'DomainException: at the bottom in ' . __FILE__ . ':'));
    same('#0 ' . __FILE__ . '(' . (new ReflectionMethod(Deep::class, 'down'))->getStartLine() + 2 . '): Deep::down()', $lines[1]);
    same(true, str_contains($cause, 'Dispatcher->dispatch()'));
    same(false, str_contains($cause, 'secret'));

    $lines = explode("\n", cause(static fn () => Deep::down(50, 'secret argument')));
    same([12, '#9'], [count($lines), substr($lines[10], 0, 2)]);
    same(1, preg_match('/^… \d+ more$/', $lines[11]));
});

test('a long message is cut, and errors behind an error are told, so many', static function (): void {
    same(true, strlen(cause(static fn () => throw new DomainException(str_repeat('x', 100_000)))) < 10_000);
    $cause = cause(static function (): void {
        $error = new DomainException('number 0');
        for ($i = 1; $i < 10; $i++) {
            $error = new RuntimeException("number $i", 0, $error);
        }
        throw $error;
    });
    preg_match_all('/number \d/', $cause, $numbers);
    same([['number 9', 'number 8', 'number 7', 'number 6'], 3], [$numbers[0], substr_count($cause, "\ncaused by RuntimeException")]);
});

test('an anonymous class is told without its file', static function (): void {
    same('RuntimeException@anonymous: x in', substr(cause(static fn () => throw new class ('x') extends RuntimeException {}), 0, 32));
});

test('an argument of a wrong type is told with the line of the handler, though PHP says where it was taken', static function (): void {
    foreach ([static fn (Connection $c) => $c->send([]), static fn (Connection $c) => $c->tag()] as $handler) {
        $first = explode("\n", cause($handler))[0];
        same(true, str_contains($first, 'Error: ') && str_ends_with($first, ' in ' . __FILE__ . ':' . __LINE__ - 2));
    }
});

test('a worker script that ordinary PHP runs says so, at its line', static function (): void {
    try {
        FrankenPHP\WebSocket\Server::run(new Recorder());
    } catch (LogicException $error) {
        same([__FILE__, __LINE__ - 2, true], [$error->getFile(), $error->getLine(), str_contains($error->getMessage(), 'FakeServer')]);

        return;
    }
    throw new Failure('it has run');
});

test('an error of the package in a handler is told with the line of the handler', static function (): void {
    $cause = cause(static fn (Connection $c) => $c->tag(''));
    same(true, str_contains(explode("\n", $cause)[0], ' in ' . __FILE__ . ':' . __LINE__ - 1));
});
