<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Testing;

use FrankenPHP\WebSocket\Laravel\EventApplication;
use FrankenPHP\WebSocket\Laravel\Sandbox;
use FrankenPHP\WebSocket\Testing\FakeServer;

/**
 * For tests of listeners: a server in memory, whose clients cause Laravel events as in the worker.
 *
 *     $client = $this->webSocketServer()->connect(user: '7');
 *     $client->send('hello');
 *     $this->assertSame(['hello, 7'], $client->take());
 *
 * For classes that extend Laravel's TestCase. The server has one thread, since a test has one application.
 */
trait InteractsWithWebSockets
{
    private ?FakeServer $webSocketServer = null;

    /**
     * @param non-empty-list<string>            $routes
     * @param array<string, array<string, int>> $presence as for FakeServer
     */
    protected function webSocketServer(array $routes = ['app'], array $presence = []): FakeServer
    {
        return $this->webSocketServer ??= new FakeServer(new EventApplication(new Sandbox($this->app, inTest: true)), $routes, presence: $presence);
    }
}
