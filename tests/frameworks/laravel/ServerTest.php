<?php

declare(strict_types=1);

namespace Tests\Laravel;

use PHPUnit\Framework\TestCase;
use Tests\PusherClient;
use Tests\RunningServer;
use Tests\WebSocketClient;

/** The worker that frankenphp-ws:install writes, under the real binary. */
final class ServerTest extends TestCase
{
    private const CADDYFILE = <<<'E'
        {
        	frankenphp {
        		worker {
        			name websocket
        			file frankenphp-ws-worker.php
        			num 2
        		}
        	}
        }

        http://127.0.0.1:{$PORT} {
        	root public/
        	websocket /ws {
        		worker websocket
        		origins *
        		channel room {
        			presence
        		}
        	}
        	@pusher path /app/* /apps/*
        	websocket @pusher {
        		name pusher
        		pusher {
        			app 1 key secret {
        				webhook worker websocket {
        					events channel_occupied channel_vacated cache_miss subscription_count
        				}
        			}
        		}
        		worker websocket
        	}
        	php_server
        }

        E;

    private Site $site;

    private RunningServer $server;

    protected function setUp(): void
    {
        $this->site = new Site();
        $this->site->write('vendor/autoload.php', '<?php require ' . var_export(dirname(__DIR__) . '/bootstrap.php', true) . ';');
        $this->site->write('bootstrap/app.php', '<?php $app = Tests\Laravel\Site::application(dirname(__DIR__)); $app->register(Tests\Laravel\ListenersProvider::class); return $app;');
        copy(__DIR__ . '/../../../php/laravel/stubs/worker.php', "{$this->site->folder}/frankenphp-ws-worker.php");
        $this->server = new RunningServer($this->site->folder, self::CADDYFILE);
    }

    protected function tearDown(): void
    {
        $this->server->stop();
        $this->site->remove();
    }

    public function testListenersServeClientsAndSeeNothingOfEachOther(): void
    {
        $ann = new WebSocketClient($this->server->port, '/ws?user=ann');
        self::assertSame('ann is in', $ann->receive());
        $bob = new WebSocketClient($this->server->port, '/ws?user=bob');
        self::assertSame('bob is in', $bob->receive());
        self::assertSame('bob is in', $ann->receive());
        foreach (range(1, 20) as $n) {
            $ann->send("$n");
            self::assertSame("$n, locale en, basket 0, user nobody", $ann->receive());
        }
        $ann->send('throw');
        self::assertSame('Sorry: not in this shop', $ann->receive());
        $this->server->eventually(fn (): bool => str_contains($this->server->log(), 'DomainException: not in this shop'));
        self::assertStringContainsString('not in this shop', $this->site->log());
        $ann->send('still there');
        self::assertStringStartsWith('still there, ', (string) $ann->receive());
    }

    public function testListenersHearWhatClientsOfThePusherProtocolDo(): void
    {
        $ann = new PusherClient($this->server->port);
        $ann->subscribe('presence-hall', 'ann');
        $bob = new PusherClient($this->server->port);
        $bob->subscribe('presence-hall', 'bob');
        self::assertSame('bob', $ann->next('came'));
        $ann->send('client-typing', ['name' => 'Ann'], 'presence-hall');
        self::assertSame(['name' => 'Ann'], $bob->next('client-typing'));
        self::assertSame(['client-typing', ['name' => 'Ann']], $ann->next('heard'));
        $bob->send('pusher:unsubscribe', ['channel' => 'presence-hall']);
        self::assertSame('bob', $ann->next('went'));
    }

    public function testListenersHearWhatBecomesOfChannelsOfThePusherProtocol(): void
    {
        self::assertSame([['empty', 'private-cache-state'], ['occupied', 'private-cache-state'], ['occupied', 'private-log'], ['vacated', 'private-cache-state']], PusherClient::hearsOfChannels($this->server->port, 4));
    }

    public function testWorkersStartAgainAndClientsStay(): void
    {
        $ann = new WebSocketClient($this->server->port, '/ws?user=ann');
        self::assertSame('ann is in', $ann->receive());
        $this->site->write('artisan', '<?php require __DIR__ . "/vendor/autoload.php"; $app = require __DIR__ . "/bootstrap/app.php"; exit($app->make(Illuminate\Contracts\Console\Kernel::class)->handle(new Symfony\Component\Console\Input\ArgvInput(), new Symfony\Component\Console\Output\ConsoleOutput()));');
        $this->site->write('.env', $this->site->read('.env') . "FRANKENPHP_WS_ADMIN=127.0.0.1:{$this->server->admin}\n");
        self::assertStringContainsString('127.0.0.1', $this->server->run(['artisan', 'frankenphp-ws:clients', '--user=ann']));
        self::assertStringContainsString('"connections": 1', $this->server->run(['artisan', 'frankenphp-ws:stats', '--json']));
        $this->server->run(['artisan', 'frankenphp-ws:restart']);
        $ann->send('after');
        self::assertStringStartsWith('after, ', (string) $ann->receive());
    }
}
