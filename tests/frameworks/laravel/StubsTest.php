<?php

declare(strict_types=1);

namespace Tests\Laravel;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Symfony\Component\Process\Process;

/** The Caddyfiles that frankenphp-ws:install writes, read by the real binary with what Octane puts into the environment. */
final class StubsTest extends TestCase
{
    /** @return array<string, array{string, array<string, string>, list<string>}> */
    public static function stubs(): array
    {
        return [
            'for frankenphp run' => ['Caddyfile', [
                'REVERB_APP_ID' => '7', 'REVERB_APP_KEY' => 'k', 'REVERB_APP_SECRET' => 's',
            ], ['frankenphp-ws-worker.php']],
            'for Octane' => ['Caddyfile.octane', [
                'CADDY_SERVER_ADMIN_HOST' => 'localhost', 'CADDY_SERVER_ADMIN_PORT' => '2019', 'CADDY_SERVER_WORKER_DIRECTIVE' => 'num 4',
                'CADDY_SERVER_SERVER_NAME' => 'http://:8000', 'CADDY_SERVER_LOG_LEVEL' => 'WARN', 'CADDY_SERVER_LOGGER' => 'json',
                'APP_BASE_PATH' => '/srv/my site', 'APP_PUBLIC_PATH' => '/srv/my site/public',
                'FRANKENPHP_WS_APP_ID' => '7', 'FRANKENPHP_WS_APP_KEY' => 'k', 'FRANKENPHP_WS_APP_SECRET' => 's',
            ], ['/srv/my site/public/frankenphp-worker.php', '/srv/my site/frankenphp-ws-worker.php']],
        ];
    }

    /**
     * @param array<string, string> $env
     * @param list<string>          $workers
     */
    #[DataProvider('stubs')]
    public function testTheCaddyfileIsUnderstood(string $stub, array $env, array $workers): void
    {
        $text = (string) file_get_contents(__DIR__ . "/../../../php/laravel/stubs/$stub");
        $adapt = new Process([(string) getenv('FWS_FRANKENPHP'), 'adapt', '--config', '/dev/stdin', '--adapter', 'caddyfile'], env: $env, input: $text);
        $adapt->mustRun();
        $config = json_decode($adapt->getOutput(), true, flags: JSON_THROW_ON_ERROR);
        self::assertSame($workers, array_map(
            static fn (array $worker): string => $worker['file_name'],
            $config['apps']['frankenphp']['workers'],
        ));
        self::assertStringContainsString('"handler":"websocket","name":"pusher","pusher":{"apps":[{"id":"7","key":"k","secret":"s"}]}', $adapt->getOutput());
        self::assertStringContainsString('"path":["/app/*","/apps/7/*"]', $adapt->getOutput());
    }
}
