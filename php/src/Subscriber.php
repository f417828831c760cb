<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** A client of the Pusher protocol in one of its channels. */
final class Subscriber
{
    /** The application's id. */
    public readonly string $app;

    /** The channel. */
    public readonly string $channel;

    /**
     * @param string $id    the client's socket_id
     * @param string $route the name of its route
     * @param string $tag   the tag of the channel: the application's id, a colon, and the channel's name
     * @param string $user  who it is in a presence channel, or whom it is signed in as; "" where it is nobody
     * @param string $info  in onSubscribe(): what was said about a member, as JSON
     */
    public function __construct(
        public readonly string $id,
        public readonly string $route,
        public readonly string $tag,
        public readonly string $user = '',
        public readonly string $info = '',
    ) {
        [$this->app, $this->channel] = explode(':', $tag, 2) + [1 => ''];
    }

    /**
     * Sends an event to all who have subscribed to the channel.
     *
     * @param string $event the event's name
     * @param string $data  its data, usually JSON
     * @param bool   $others leave this client out
     *
     * @return int to how many clients of this server it was queued
     *
     * @throws InvalidArgumentException when the event is not as the protocol has it
     */
    public function publish(string $event, string $data, bool $others = false): int
    {
        return \frankenphp_ws_publish($this->channel, $event, $data, $others ? $this->id : null, $this->app);
    }
}
