<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Subscriber;

/** A client of the Pusher protocol has left a channel, or its connection has ended. */
final class ChannelUnsubscribed
{
    public function __construct(public readonly Subscriber $subscriber)
    {
    }
}
