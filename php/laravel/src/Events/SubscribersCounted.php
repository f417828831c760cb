<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Channel;

/** A channel of the Pusher protocol has another number of subscribers. */
final class SubscribersCounted
{
    public function __construct(public readonly Channel $channel, public readonly int $count)
    {
    }
}
