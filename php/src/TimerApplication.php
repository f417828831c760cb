<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** An application that sets timers. */
interface TimerApplication extends Application
{
    /**
     * A timer has gone off: see Timer. It belongs to no connection, and any thread of the worker may get it.
     *
     * What this method throws fails the event, which is counted and logged; onError is for connections and is not called.
     */
    public function onTimer(Timer $timer): void;
}
