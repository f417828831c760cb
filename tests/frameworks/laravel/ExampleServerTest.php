<?php

declare(strict_types=1);

namespace Tests\Laravel;

use Illuminate\Filesystem\Filesystem;
use PHPUnit\Framework\TestCase;
use Symfony\Component\BrowserKit\HttpBrowser;
use Symfony\Component\HttpClient\HttpClient;
use Tests\RunningServer;

/** The pages of examples/laravel under the real binary. */
final class ExampleServerTest extends TestCase
{
    public function testThePagesWorkAndAWorkerIsThere(): void
    {
        $example = dirname(__DIR__, 3) . '/examples/laravel';
        $home = sys_get_temp_dir() . '/fws-example-' . bin2hex(random_bytes(6));
        mkdir($home, 0o700);
        // Here the worker has a route of plain WebSockets.
        $caddyfile = str_replace("\tphp_server\n", "\twebsocket /ws {\n\t\tworker websocket\n\t\torigins *\n\t}\n\tphp_server\n", RunningServer::withoutPusher("$example/Caddyfile"));
        $server = new RunningServer($example, $caddyfile, ['APP_STORAGE' => $home], $home);
        try {
            $browser = new HttpBrowser(HttpClient::create());
            $browser->request('GET', "http://127.0.0.1:$server->port/");
            $page = $browser->submitForm('Come in', ['name' => 'Ann']);
            self::assertSame('lobby', $page->filter('h1')->text());
            self::assertSame('Ann', $page->filter('body')->attr('data-name'));
            new \Tests\WebSocketClient($server->port, '/ws');
            $server->eventually(static fn (): bool => str_contains((string) @file_get_contents("$home/logs/laravel.log"), 'ClientDisconnected'));
            self::assertStringContainsString('ClientConnected', (string) file_get_contents("$home/logs/laravel.log"));
        } finally {
            $server->stop();
            (new Filesystem())->deleteDirectory($home);
        }
    }
}
