<?php

declare(strict_types=1);

namespace Psr\Log {
    /** PSR-3's interface, as far as the package needs it. */
    interface LoggerInterface
    {
        public function log($level, string|\Stringable $message, array $context = []): void;
    }
}

namespace {
    use FrankenPHP\WebSocket\{Connection, Logger};
    use FrankenPHP\WebSocket\Testing\FakeServer;

    require_once __DIR__ . '/Recorder.php';

    test('a connection logs to the logger given, with itself and its route as context', static function (): void {
        $records = new class () implements Psr\Log\LoggerInterface {
            public array $all = [];

            public function log($level, string|Stringable $message, array $context = []): void
            {
                $this->all[] = [$level, (string) $message, $context];
            }
        };
        $server = new FakeServer(new Recorder([
            'open' => static fn (Connection $c) => $c->logger()->notice('{who} is here', ['who' => 'Anna']),
            'message' => static fn (Connection $c) => $c->logger()->log('error', 'no'),
        ]), logger: $records);
        $client = $server->connect();
        $client->send('x');
        $context = ['connection' => $client->id, 'route' => 'app'];
        same([['notice', '{who} is here', ['who' => 'Anna'] + $context], ['error', 'no', $context]], $records->all);
    });

    test('without a logger the record is a line of the error log, placeholders filled in', static function (): void {
        $file = tempnam(sys_get_temp_dir(), 'log');
        $before = ini_set('error_log', $file);
        foreach (['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'] as $level) {
            (new Logger(['route' => 'chat']))->$level('{who} {n} {missing}', ['who' => 'Anna', 'n' => 7, 'list' => [1], 'e' => new DomainException('why')]);
        }
        ini_set('error_log', $before);
        $lines = file($file);
        unlink($file);
        same(8, count($lines));
        same(1, preg_match('~\[debug\] Anna 7 \{missing\} \{"who":"Anna","n":7,"list":"\[1\]","e":"DomainException: why in [^"]+","route":"chat"\}$~', $lines[7]));
    });

    test('a level that PSR-3 does not know is refused', static function (): void {
        throws(InvalidArgumentException::class, '"fatal" given', static fn () => (new Logger())->log('fatal', 'x'));
    });
}
