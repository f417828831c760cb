<?php

declare(strict_types=1);

namespace Tests\Laravel;

use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Signer;
use PHPUnit\Framework\TestCase;
use Tests\RunningServer;
use Tests\WebSocketClient;

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
        $app['config']->set('frankenphp-ws.url', 'http://127.0.0.1:' . getenv('PORT'));
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
        [$ann, $annsId] = $this->subscriber('private-orders');
        [$bob] = $this->subscriber('private-orders');
        foreach ([
            'process' => "the server's own process", 'http' => "the HTTP API at http://127.0.0.1:{$this->server->port}", 'auto' => "the server's own process",
        ] as $way => $name) {
            self::assertSame($name, $this->server->get("/publish.php?way=$way&except=$annsId"));
            self::assertSame(['paid', ['by' => $way]], self::event($bob));
        }
        foreach (['control' => 'the control socket', 'auto' => "the control socket, or else the HTTP API at http://127.0.0.1:{$this->server->port}"] as $way => $name) {
            self::assertSame($name, $this->server->run(['public/publish.php', $way, $annsId]));
            self::assertSame(['paid', ['by' => $way]], self::event($bob));
        }
        // Ann has got none of all that.
        $this->server->get('/publish.php?way=process');
        self::assertSame(['paid', ['by' => 'process']], self::event($ann));
    }

    public function testAWayThatDoesNotWorkHereSaysWhichDoes(): void
    {
        self::assertStringContainsString('works in `frankenphp php-cli` only, and this is another process: choose "auto" or "http"', $this->server->get('/publish.php?way=control'));
        self::assertStringContainsString('works in workers and web requests of the server only', $this->server->run(['public/publish.php', 'process']));
    }

    public function testOnlySubscribersCanReadAnEncryptedChannel(): void
    {
        [$ann] = $this->subscriber('private-encrypted-x');
        $this->server->get('/publish.php?way=auto');
        [$event, $sealed] = self::event($ann);
        self::assertSame('paid', $event);
        $key = hash('sha256', 'private-encrypted-x' . str_repeat('k', 32), true);
        self::assertSame('{"by":"auto"}', sodium_crypto_secretbox_open((string) base64_decode($sealed['ciphertext'], true), (string) base64_decode($sealed['nonce'], true), $key));
    }

    /** @return array{WebSocketClient, string} the client and its socket id */
    private function subscriber(string $channel): array
    {
        $client = new WebSocketClient($this->server->port, '/app/key?protocol=7&client=js&version=8.6.0');
        $socketId = self::event($client)[1]['socket_id'];
        $auth = (new Signer(new App('1', 'key', 'secret')))->channel($socketId, $channel);
        $client->send(json_encode(['event' => 'pusher:subscribe', 'data' => ['channel' => $channel, 'auth' => $auth]], JSON_THROW_ON_ERROR));
        self::assertSame('pusher_internal:subscription_succeeded', self::event($client)[0]);

        return [$client, $socketId];
    }

    /** @return array{string, mixed} */
    private static function event(WebSocketClient $client): array
    {
        $message = json_decode((string) $client->receive(), true, flags: JSON_THROW_ON_ERROR);

        return [$message['event'], json_decode($message['data'] ?? 'null', true, flags: JSON_THROW_ON_ERROR)];
    }
}
