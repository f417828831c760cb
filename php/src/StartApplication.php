<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** An application that prepares something when its worker starts. */
interface StartApplication extends Application
{
    /**
     * A thread of the worker has started, and will serve events. Called once on each thread, before its first event, and again when the
     * thread starts anew: after a reload, `opcache_reset()`, a fatal error, `max_requests`.
     *
     * All functions work here, though nobody may be connected yet. What is set here (the time zone, handlers of errors, ini settings) holds
     * for all events. A timer that all threads are to have in common gets a name:
     *
     *     Timer::every(1000, 'tick', name: 'clock');
     *
     * What else is to happen once in the server is guarded by a value that only one thread can add, by frankenphp_ws_global_add().
     *
     * What this method throws ends the script: FrankenPHP starts it again, and gives up when that fails several times.
     */
    public function onStart(): void;
}
