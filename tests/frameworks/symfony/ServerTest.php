<?php

declare(strict_types=1);

namespace Tests\Symfony;

use PHPUnit\Framework\TestCase;
use Symfony\Component\Filesystem\Filesystem;
use Tests\PusherClient;
use Tests\RunningServer;
use Tests\WebSocketClient;

/** The bundle's worker under the real binary, with the site's own firewall in front. */
final class ServerTest extends TestCase
{
    private const CADDYFILE = <<<'E'
        {
        	frankenphp {
        		worker {
        			name chat
        			file worker.php
        			num 2
        		}
        	}
        }

        http://127.0.0.1:{$PORT} {
        	root public/
        	websocket /ws {
        		worker chat
        		origins *
        		authorize /_websocket/authorize/chat
        		channel room {
        			presence
        		}
        	}
        	@pusher path /app/* /apps/*
        	websocket @pusher {
        		name pusher
        		pusher {
        			app 1 key secret {
        				webhook worker chat {
        					events channel_occupied channel_vacated cache_miss subscription_count
        				}
        			}
        		}
        		worker chat
        	}
        	php_server
        }

        E;

    private string $folder;

    private RunningServer $server;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/fws-symfony-' . bin2hex(random_bytes(6));
        $files = new Filesystem();
        $start = '<?php require ' . var_export(dirname(__DIR__) . '/bootstrap.php', true) . '; ';
        $files->dumpFile("$this->folder/worker.php", $start . 'FrankenPHP\WebSocket\Symfony\Worker::run(new Tests\Symfony\TestKernel("prod", false));');
        $files->dumpFile("$this->folder/public/index.php", $start . '$kernel = new Tests\Symfony\TestKernel("prod", false); $kernel->handle(Symfony\Component\HttpFoundation\Request::createFromGlobals())->send();');
        $this->server = new RunningServer($this->folder, self::CADDYFILE, ['SITE' => $this->folder]);
    }

    protected function tearDown(): void
    {
        $this->server->stop();
        (new Filesystem())->remove($this->folder);
    }

    public function testTheUserWhoIsLoggedInIsTheUserOfTheConnection(): void
    {
        $ann = new WebSocketClient($this->server->port, '/ws', ['Authorization' => 'Basic ' . base64_encode('ann:secret')]);
        self::assertSame('ann is in', $ann->receive());
        foreach (range(1, 20) as $n) {
            $ann->send("$n");
            self::assertSame("$n, basket 0, user ROLE_USER", $ann->receive());
        }
        $ann->send('throw');
        self::assertSame('Sorry: not in this shop', $ann->receive());
        $this->server->eventually(fn (): bool => str_contains($this->server->log(), 'DomainException: not in this shop'));
        $ann->send('still there');
        self::assertSame('still there, basket 0, user ROLE_USER', $ann->receive());
    }

    public function testHandlersHearWhatClientsOfThePusherProtocolDo(): void
    {
        $ann = new PusherClient($this->server->port);
        $ann->subscribe('presence-hall', 'ann');
        self::assertSame(['ann', 1], $ann->next('came'));
        $bob = new PusherClient($this->server->port);
        $bob->subscribe('presence-hall', 'bob');
        self::assertSame(['bob', 1], $ann->next('came'));
        $ann->send('client-typing', ['name' => 'Ann'], 'presence-hall');
        self::assertSame(['name' => 'Ann'], $ann->next('heard'));
        $bob->send('pusher:unsubscribe', ['channel' => 'presence-hall']);
        self::assertSame('bob', $ann->next('went'));
    }

    public function testHandlersHearWhatBecomesOfChannelsOfThePusherProtocol(): void
    {
        self::assertSame([['came', ['', 1]], ['empty', 'private-cache-state'], ['occupied', 'private-cache-state'], ['occupied', 'private-log'], ['vacated', 'private-cache-state']], PusherClient::hearsOfChannels($this->server->port, 5));
    }

    public function testVisitorsAreNotLetIn(): void
    {
        $this->expectExceptionMessage('the WebSocket did not open: HTTP/1.1 401');
        new WebSocketClient($this->server->port, '/ws');
    }
}
