<?php

declare(strict_types=1);

namespace Tests\Laravel;

use FrankenPHP\WebSocket\Laravel\LaravelHttpClient;
use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\HttpTransport;
use FrankenPHP\WebSocket\Pusher\Publisher;
use Illuminate\Http\Client\Factory;
use PHPUnit\Framework\TestCase;
use Symfony\Component\Process\Process;
use Tests\PusherClient;
use Tests\RunningServer;

/** A site that follows the guide: what frankenphp-ws:install writes, started as docs/laravel.md says. */
final class InstalledSiteTest extends TestCase
{
    private const ENV = <<<'E'
        APP_NAME="My Site"
        APP_URL=http://localhost
        DB_PASSWORD="a#b" # in quotes it is no comment
        MAIL_FROM_NAME="${APP_NAME}"
        BROADCAST_DRIVER=log
        REVERB_APP_ID=1
        REVERB_APP_KEY="key"
        REVERB_APP_SECRET='secret'
        VITE_REVERB_APP_KEY="${REVERB_APP_KEY}"
        LAST = "with spaces"

        E;

    private const PAGE = <<<'E'
        <?php
        require dirname(__DIR__) . '/vendor/autoload.php';
        $app = require dirname(__DIR__) . '/bootstrap/app.php';
        $app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
        echo $_SERVER['REQUEST_URI'], ': ', env('MAIL_FROM_NAME'), ', ', env('DB_PASSWORD'), ', ', config('frankenphp-ws.key');
        E;

    private Site $site;

    protected function setUp(): void
    {
        $this->site = new Site(env: self::ENV);
        $this->site->write('vendor/autoload.php', '<?php require_once ' . var_export(dirname(__DIR__) . '/bootstrap.php', true) . ';');
        $this->site->write('bootstrap/app.php', '<?php return Tests\Laravel\Site::application(dirname(__DIR__));');
        $this->site->write('artisan', '<?php require __DIR__ . "/vendor/autoload.php"; $app = require __DIR__ . "/bootstrap/app.php"; exit($app->make(Illuminate\Contracts\Console\Kernel::class)->handle(new Symfony\Component\Console\Input\ArgvInput(), new Symfony\Component\Console\Output\ConsoleOutput()));');
        $this->site->write('public/index.php', self::PAGE);
        // In tests Laravel tells nobody which command starts.
        $this->site->write('config/app.php', str_replace("'testing'", "'local'", $this->site->read('config/app.php')));
    }

    protected function tearDown(): void
    {
        $this->site->remove();
    }

    public function testASiteStartsAsTheGuideSaysAndItsPagesReadEnvThemselves(): void
    {
        $this->artisan('frankenphp-ws:install', '--no-octane', '--no-interaction');
        $guide = (string) file_get_contents(dirname(__DIR__, 3) . '/docs/laravel.md');
        self::assertSame(1, preg_match('/^ +(.*\bfrankenphp run\b.*)$/m', $guide, $command));
        $port = self::freePort();
        $server = new RunningServer($this->site->folder, '', ['SERVER_NAME' => "http://127.0.0.1:$port"], command: $command[1]);
        try {
            $page = static fn (string $path): string => (string) file_get_contents("http://127.0.0.1:$port$path");
            self::assertSame('/: My Site, a#b, key', $page('/'));
            // Pages of the site are where they were.
            self::assertSame('/app/dashboard: My Site, a#b, key', $page('/app/dashboard'));
            self::assertSame('/apps: My Site, a#b, key', $page('/apps'));
            $this->site->write('.env', str_replace('My Site', 'Our Site', $this->site->read('.env')));
            self::assertSame('/: Our Site, a#b, key', $page('/'));
            $client = new PusherClient($port);
            $client->subscribe('private-orders');
            $http = new HttpTransport(new App('1', 'key', 'secret'), "http://127.0.0.1:$port", new LaravelHttpClient(new Factory()));
            (new Publisher($http))->publish('private-orders', 'paid', ['id' => 7]);
            self::assertSame(['paid', ['id' => 7]], $client->event());
        } finally {
            $server->stop();
        }
    }

    public function testOctaneGivesItsServerWhatTheCaddyfileHas(): void
    {
        // As Octane's command: what .env has is taken out of the environment, and then the server is started.
        $this->site->write('bootstrap/app.php', <<<'E'
            <?php
            $app = Tests\Laravel\Site::application(dirname(__DIR__));
            $app->booted(static fn () => Illuminate\Support\Facades\Artisan::command('octane:start', function (): void {
                foreach ((new Dotenv\Parser\Parser())->parse(file_get_contents(base_path('.env'))) as $entry) {
                    Illuminate\Support\Env::getRepository()->clear($entry->getName());
                }
                $this->output->write((new Symfony\Component\Process\Process([getenv('BINARY'), 'adapt', '--config', 'Caddyfile'], base_path(), [
                    'CADDY_SERVER_ADMIN_HOST' => 'localhost', 'CADDY_SERVER_ADMIN_PORT' => '2019', 'CADDY_SERVER_WORKER_DIRECTIVE' => 'num 4',
                    'CADDY_SERVER_SERVER_NAME' => 'http://:8000', 'CADDY_SERVER_LOG_LEVEL' => 'WARN', 'CADDY_SERVER_LOGGER' => 'json',
                    'APP_BASE_PATH' => base_path(), 'APP_PUBLIC_PATH' => public_path(),
                ]))->mustRun()->getOutput());
            }));

            return $app;
            E);
        $this->artisan('frankenphp-ws:install', '--octane', '--no-interaction');
        foreach ([null, 'config:cache'] as $before) {
            $before === null || $this->artisan($before);
            $config = json_decode($this->artisan('octane:start'), true, flags: JSON_THROW_ON_ERROR);
            self::assertStringContainsString('"apps":[{"id":"1","key":"key","secret":"secret"}]', json_encode($config, JSON_THROW_ON_ERROR));
        }
    }

    private function artisan(string ...$arguments): string
    {
        $env = array_fill_keys(array_keys(getenv() + $_ENV), false);

        return (new Process([PHP_BINARY, 'artisan', ...$arguments], $this->site->folder, [
            'PATH' => getenv('PATH'), 'FWS_FRAMEWORKS' => getenv('FWS_FRAMEWORKS'), 'BINARY' => realpath((string) getenv('FWS_FRANKENPHP')),
        ] + $env))->mustRun()->getOutput();
    }

    private static function freePort(): int
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $port = (int) substr((string) strrchr((string) stream_socket_get_name($socket, false), ':'), 1);
        fclose($socket);

        return $port;
    }
}
