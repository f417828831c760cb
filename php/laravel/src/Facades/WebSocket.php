<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Facades;

use FrankenPHP\WebSocket\Laravel\Testing\PublisherFake;
use FrankenPHP\WebSocket\Pusher\Publisher;
use Illuminate\Support\Facades\Facade;

/**
 * Publishes events without an event class.
 *
 *     WebSocket::publish('private-orders.7', 'order.paid', ['id' => 7]);
 *
 * @method static void publish(string|array $channels, string $event, mixed $data = [], ?string $except = null)
 * @method static string way()
 *
 * @see Publisher
 */
final class WebSocket extends Facade
{
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
