<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** A channel of the Pusher protocol. */
final class Channel
{
    /** The application's id. */
    public readonly string $app;

    /** The channel's name. */
    public readonly string $name;

    /**
     * @param string $tag   its tag: the application's id, a colon, and its name
     * @param string $route the name of its route
     */
    public function __construct(public readonly string $tag, public readonly string $route)
    {
        [$this->app, $this->name] = explode(':', $tag, 2) + [1 => ''];
    }

    /**
     * Sends an event to all who have subscribed to the channel. A cache channel keeps it for those who come later.
     *
     * @param string      $event          the event's name
     * @param string      $data           its data, usually JSON
     * @param string|null $exceptSocketId leave this client out
     *
     * @return int to how many clients of this server it was queued
     *
     * @throws InvalidArgumentException when the event is not as the protocol has it
     */
    public function publish(string $event, string $data, ?string $exceptSocketId = null): int
    {
        return \frankenphp_ws_publish($this->name, $event, $data, $exceptSocketId, $this->app);
    }
}
