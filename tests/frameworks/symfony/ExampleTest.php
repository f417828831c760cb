<?php

declare(strict_types=1);

namespace Tests\Symfony;

use PHPUnit\Framework\TestCase;
use Symfony\Component\BrowserKit\HttpBrowser;
use Symfony\Component\Filesystem\Filesystem;
use Symfony\Component\HttpClient\HttpClient;
use Tests\RunningServer;
use Tests\WebSocketClient;

/** examples/symfony under the real binary, all but its bell. */
final class ExampleTest extends TestCase
{
    private string $home;

    private RunningServer $server;

    protected function setUp(): void
    {
        $example = dirname(__DIR__, 3) . '/examples/symfony';
        $this->home = sys_get_temp_dir() . '/fws-example-' . bin2hex(random_bytes(6));
        mkdir($this->home, 0o700);
        $this->server = new RunningServer($example, RunningServer::withoutPusher("$example/Caddyfile"), ['APP_STORAGE' => $this->home], $this->home);
    }

    protected function tearDown(): void
    {
        $this->server->stop();
        (new Filesystem())->remove($this->home);
    }

    public function testThoseWhoAreLoggedInWriteOnTheBoard(): void
    {
        $ann = $this->login('ann');
        self::assertSame('{"here":["Ann"]}', $ann->receive());
        $bob = $this->login('bob');
        self::assertSame('{"here":["Ann","Bob"]}', $bob->receive());
        $ann->send('Tea is ready');
        while (($note = $bob->receive()) === '{"here":["Ann","Bob"]}') {
        }
        self::assertSame('{"by":"Ann","note":"Tea is ready"}', $note);
        $bob->send(str_repeat('x', 1001));
        self::assertSame('{"error":"a note has 1 to 1000 characters"}', $bob->receive());
        // Who comes later reads what was written.
        self::assertSame('{"by":"Ann","note":"Tea is ready"}', $this->login('bob')->receive());
    }

    public function testVisitorsSeeTheFormOnly(): void
    {
        $browser = new HttpBrowser(HttpClient::create());
        self::assertSame('Board', $browser->request('GET', "http://127.0.0.1:{$this->server->port}/")->filter('form h1')->text());
        $this->expectExceptionMessage('401');
        new WebSocketClient($this->server->port, '/board', ['Origin' => "http://127.0.0.1:{$this->server->port}"]);
    }

    private function login(string $name): WebSocketClient
    {
        $browser = new HttpBrowser(HttpClient::create());
        $browser->request('GET', "http://127.0.0.1:{$this->server->port}/login");
        $page = $browser->submitForm('Log in', ['_username' => $name, '_password' => $name]);
        self::assertSame("Board of $name", $page->filter('h1')->text());
        $cookies = array_map(static fn ($cookie): string => $cookie->getName() . '=' . $cookie->getValue(), $browser->getCookieJar()->all());

        return new WebSocketClient($this->server->port, '/board', ['Cookie' => implode('; ', $cookies), 'Origin' => "http://127.0.0.1:{$this->server->port}"]);
    }
}
