<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Subscriber;

/** A client of the Pusher protocol, such as Echo, has subscribed to a channel. */
final class ChannelSubscribed
{
    public function __construct(public readonly Subscriber $subscriber)
    {
    }
}
