<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Channel;

/** A client has subscribed to a cache channel that keeps no event. */
final class CacheMissed
{
    public function __construct(public readonly Channel $channel)
    {
    }
}
