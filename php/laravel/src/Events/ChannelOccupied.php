<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Channel;

/** A channel of the Pusher protocol has its first subscriber. */
final class ChannelOccupied
{
    public function __construct(public readonly Channel $channel)
    {
    }
}
