<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Channel;

/** A channel of the Pusher protocol has lost its last subscriber. */
final class ChannelVacated
{
    public function __construct(public readonly Channel $channel)
    {
    }
}
