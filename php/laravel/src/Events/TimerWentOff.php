<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Timer;

/** A timer of the worker has gone off. Any thread of the worker may get it. */
final class TimerWentOff
{
    public function __construct(public readonly Timer $timer)
    {
    }
}
