<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Facades;

use FrankenPHP\WebSocket\Laravel\FrankenPhpBroadcaster;
use FrankenPHP\WebSocket\Laravel\Testing\PublisherFake;
use FrankenPHP\WebSocket\Pusher\Publisher;
use Illuminate\Support\Facades\Facade;

/**
 * Publishes events without an event class.
 *
 *     WebSocket::publish('private-orders.7', 'order.paid', ['id' => 7]);
 *
 * @method static string way()
 *
 * @see Publisher
 */
final class WebSocket extends Facade
{
    /**
     * @param string|\Stringable|list<string|\Stringable> $channels names, or Laravel's objects, such as new PrivateChannel('orders.7')
     * @param mixed                                       $data     is sent as JSON
     * @param string|null                                 $except   the header X-Socket-ID of the one who caused it, who is left out; one that is no socket id leaves nobody out
     *
     * @throws \FrankenPHP\WebSocket\Pusher\PublishException       when the server was not reached, or did not take the event
     * @throws \FrankenPHP\WebSocket\Pusher\ConfigurationException when no way to the server is configured that works here
     * @throws \FrankenPHP\WebSocket\Pusher\RefusedException       when a channel is none
     */
    public static function publish(string|\Stringable|array $channels, string $event, mixed $data = [], ?string $except = null): void
    {
        $names = array_map(static fn (string|\Stringable $channel): string => (string) $channel, is_array($channels) ? array_values($channels) : [$channels]);
        self::getFacadeRoot()->publish($names, $event, $data, FrankenPhpBroadcaster::socketId($except));
    }

    /** From now on nothing is published: the fake remembers it, and has assertions. Broadcasts by the driver "frankenphp" are remembered, too. */
    public static function fake(): PublisherFake
    {
        $fake = new PublisherFake();
        self::swap($fake);

        return $fake;
    }

    protected static function getFacadeAccessor(): string
    {
        return Publisher::class;
    }
}
