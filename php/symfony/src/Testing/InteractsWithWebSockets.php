<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Testing;

use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\Message;
use FrankenPHP\WebSocket\Symfony\EventApplication;
use FrankenPHP\WebSocket\Testing\FakeClient;
use FrankenPHP\WebSocket\Testing\FakeServer;

/**
 * For classes that extend KernelTestCase or WebTestCase: clients that talk to the handlers, and assertions about what was published.
 *
 *     $client = self::connectWebSocket('chat', user: 'ann');
 *     $client->send('hello');
 *     self::assertSame(['ann: hello'], $client->take());
 *
 * What was published is remembered where config/packages/test/frankenphp_ws.yaml says `record: true`, for as long as the test has its kernel: over
 * several requests, too. Services are reset before each event, so what an event has left there, as mails, can be looked at.
 */
trait InteractsWithWebSockets
{
    private static ?FakeServer $webSocketServer = null;

    private static ?object $webSocketKernel = null;

    /**
     * The server in memory. It has one thread, since a test has one kernel.
     *
     * @param non-empty-list<string>            $routes
     * @param array<string, array<string, int>> $presence as for FakeServer
     */
    protected static function webSocketServer(array $routes = ['app'], array $presence = []): FakeServer
    {
        self::getContainer();
        if (self::$webSocketServer === null || self::$webSocketKernel !== self::$kernel) {
            $application = new CurrentApplication(static function (): EventApplication {
                /** @var EventApplication $current */
                $current = self::getContainer()->get(EventApplication::class);

                return $current;
            });
            self::$webSocketServer = new FakeServer($application, $routes, presence: $presence);
            self::$webSocketKernel = self::$kernel;
        }

        return self::$webSocketServer;
    }

    /** A client connects, as a user whom `authorize` has let in. The first call makes a server with this one route, unless there is one. */
    protected static function connectWebSocket(string $route = 'app', string $query = '', ?string $user = null, string $userInfo = ''): FakeClient
    {
        return self::webSocketServer([$route])->connect(query: $query, route: $route, user: $user, userInfo: $userInfo);
    }

    /** @return list<Message> with the event, or all */
    protected static function publishedMessages(?string $event = null): array
    {
        $container = self::getContainer();
        if (!$container->has(RecordingTransport::class)) {
            throw new ConfigurationException('nothing is remembered of what is published, since frankenphp_ws.record is not true here: set it in config/packages/test/frankenphp_ws.yaml');
        }
        /** @var RecordingTransport $recorder */
        $recorder = $container->get(RecordingTransport::class);

        return array_values(array_filter($recorder->messages(), static fn (Message $message): bool => $event === null || $message->event === $event));
    }

    /** @param string|null $channel null: any */
    protected static function assertPublished(string $event, ?string $channel = null): void
    {
        $found = array_filter(self::publishedMessages($event), static fn (Message $message): bool => $channel === null || in_array($channel, $message->channels, true));
        $all = array_map(static fn (Message $message): string => "\n  $message->event to " . implode(', ', $message->channels), self::publishedMessages());
        self::assertNotSame([], $found, "\"$event\" was not published" . ($channel === null ? '' : " to \"$channel\"") . ($all === [] ? '. Nothing was published.' : '. Published was:' . implode('', $all)));
    }

    protected static function assertNothingPublished(): void
    {
        self::assertSame([], array_column(self::publishedMessages(), 'event'), 'Something was published.');
    }
}
