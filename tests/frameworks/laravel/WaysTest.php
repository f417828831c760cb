<?php

declare(strict_types=1);

namespace Tests\Laravel;

use PHPUnit\Framework\TestCase;
use Tests\PusherClient;
use Tests\RunningServer;

/** The ways from a Laravel application to the server's Pusher route, under the real binary. */
final class WaysTest extends TestCase
{
    private const CADDYFILE = <<<'E'
        {
        	frankenphp
        }

        http://127.0.0.1:{$PORT} {
        	root public/
        	@pusher path /app/* /apps/*
        	websocket @pusher {
        		pusher {
        			app 1 key secret
        		}
        	}
        	php_server
        }

        E;

    private const PUBLISH = <<<'E'
        <?php
        require dirname(__DIR__) . '/vendor/autoload.php';
        $app = require dirname(__DIR__) . '/bootstrap/app.php';
        $app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
        $app['config']->set('frankenphp-ws.way', $_GET['way'] ?? $argv[1]);
        $app['config']->set('frankenphp-ws.url', $_GET['url'] ?? 'http://127.0.0.1:' . getenv('PORT'));
        $app['config']->set('frankenphp-ws.encryption_master_key', base64_encode(str_repeat('k', 32)));
        $payload = ['by' => $_GET['way'] ?? $argv[1], 'socket' => ($_GET['except'] ?? $argv[2] ?? '') ?: null];
        try {
            $app->make(Illuminate\Broadcasting\BroadcastManager::class)->connection()->broadcast(['private-orders', 'private-encrypted-x'], 'paid', $payload);
            echo $app->make(FrankenPHP\WebSocket\Pusher\Publisher::class)->way();
        } catch (Illuminate\Broadcasting\BroadcastException $error) {
            echo $error->getMessage();
        }
        E;

    private Site $site;

    private RunningServer $server;

    protected function setUp(): void
    {
        $this->site = new Site();
        $this->site->write('vendor/autoload.php', '<?php require_once ' . var_export(dirname(__DIR__) . '/bootstrap.php', true) . ';');
        $this->site->write('bootstrap/app.php', '<?php return Tests\Laravel\Site::application(dirname(__DIR__));');
        $this->site->write('public/publish.php', self::PUBLISH);
        $this->server = new RunningServer($this->site->folder, self::CADDYFILE);
    }

    protected function tearDown(): void
    {
        $this->server->stop();
        $this->site->remove();
    }

    public function testEachWayReachesSubscribersAndLeavesOutTheOneWhoCausedIt(): void
    {
        $ann = $this->subscriber('private-orders');
        $bob = $this->subscriber('private-orders');
        foreach ([
            'process' => "the server's own process", 'http' => "the HTTP API at http://127.0.0.1:{$this->server->port}", 'auto' => "the server's own process, or else the HTTP API at http://127.0.0.1:{$this->server->port}",
        ] as $way => $name) {
            self::assertSame($name, $this->server->get("/publish.php?way=$way&except={$ann->socketId}"));
            self::assertSame(['paid', ['by' => $way]], $bob->event());
        }
        foreach (['control' => 'the control socket', 'auto' => "the control socket, or else the HTTP API at http://127.0.0.1:{$this->server->port}"] as $way => $name) {
            self::assertSame($name, $this->server->run(['public/publish.php', $way, $ann->socketId]));
            self::assertSame(['paid', ['by' => $way]], $bob->event());
        }
        // Ann has got none of all that.
        $this->server->get('/publish.php?way=process');
        self::assertSame(['paid', ['by' => 'process']], $ann->event());
    }

    public function testAnAddressThatIsNoneDoesNoHarmInTheServersOwnProcess(): void
    {
        $ann = $this->subscriber('private-orders');
        self::assertSame("the server's own process", $this->server->get('/publish.php?way=process&url=localhost'));
        self::assertSame(['paid', ['by' => 'process']], $ann->event());
        self::assertStringContainsString('must be as https://example.com, not "localhost"', $this->server->get('/publish.php?way=http&url=localhost'));
    }

    public function testAPhpOfAServerWithoutWebSocketsBroadcastsByHttp(): void
    {
        $ann = $this->subscriber('private-orders');
        mkdir("{$this->site->folder}/pages");
        $caddyfile = (string) preg_replace('/^\t@pusher .*?^\t\}\n/ms', '', self::CADDYFILE);
        $pages = new RunningServer($this->site->folder, $caddyfile, home: "{$this->site->folder}/pages");
        try {
            $url = "http://127.0.0.1:{$this->server->port}";
            self::assertSame("the server's own process, or else the HTTP API at $url", $pages->get('/publish.php?way=auto&url=' . rawurlencode($url)));
            self::assertSame(['paid', ['by' => 'auto']], $ann->event());
            self::assertStringContainsString('was not published', $pages->get('/publish.php?way=process'));
        } finally {
            $pages->stop();
        }
    }

    public function testAWayThatDoesNotWorkHereSaysWhichDoes(): void
    {
        self::assertStringContainsString('works in `frankenphp php-cli` only, and this is another process: choose "auto" or "http"', $this->server->get('/publish.php?way=control'));
        self::assertStringContainsString('works in workers and web requests of the server only', $this->server->run(['public/publish.php', 'process']));
    }

    public function testOnlySubscribersCanReadAnEncryptedChannel(): void
    {
        $ann = $this->subscriber('private-encrypted-x');
        $this->server->get('/publish.php?way=auto');
        [$event, $sealed] = $ann->event();
        self::assertSame('paid', $event);
        $key = hash('sha256', 'private-encrypted-x' . str_repeat('k', 32), true);
        self::assertSame('{"by":"auto"}', sodium_crypto_secretbox_open((string) base64_decode($sealed['ciphertext'], true), (string) base64_decode($sealed['nonce'], true), $key));
    }

    private function subscriber(string $channel): PusherClient
    {
        $client = new PusherClient($this->server->port);
        $client->subscribe($channel);

        return $client;
    }
}
