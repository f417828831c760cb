<?php

declare(strict_types=1);

namespace Tests\Laravel;

use Illuminate\Filesystem\Filesystem;
use PHPUnit\Framework\TestCase;
use Symfony\Component\BrowserKit\HttpBrowser;
use Symfony\Component\HttpClient\HttpClient;
use Tests\RunningServer;
use Tests\WebSocketClient;

/** The pages of examples/laravel under the real binary. */
final class ExampleServerTest extends TestCase
{
    public function testThePagesWorkAndAWorkerIsThere(): void
    {
        $example = dirname(__DIR__, 3) . '/examples/laravel';
        $home = sys_get_temp_dir() . '/fws-example-' . bin2hex(random_bytes(6));
        mkdir($home, 0o700);
        $server = new RunningServer($example, RunningServer::withoutPusher("$example/Caddyfile"), ['APP_STORAGE' => $home], $home);
        try {
            $browser = new HttpBrowser(HttpClient::create());
            $browser->request('GET', "http://127.0.0.1:$server->port/");
            $page = $browser->submitForm('Come in', ['name' => 'Ann']);
            self::assertSame('lobby', $page->filter('h1')->text());
            self::assertSame('Ann', $page->filter('body')->attr('data-name'));
            $window = new WebSocketClient($server->port, '/ws');
            self::assertSame('{"windows":1}', $window->receive());
            $other = new WebSocketClient($server->port, '/ws');
            self::assertSame(['{"windows":2}', '{"windows":2}'], [$window->receive(), $other->receive()]);
            unset($other);
            self::assertSame('{"windows":1}', $window->receive());
        } finally {
            $server->stop();
            (new Filesystem())->deleteDirectory($home);
        }
    }
}
