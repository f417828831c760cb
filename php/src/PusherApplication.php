<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * An application that is told what clients of the Pusher protocol do, on a route with `pusher` and `worker`: docs/pusher.md. A worker that a webhook
 * names is told of client events, too.
 *
 * The core serves these clients, so they have no onOpen(), onMessage() and onClose(). Events of one client come one at a time and in order; to a worker
 * that only a webhook names, those of one channel. What these methods throw fails the event, which is counted and logged; onError is for connections and
 * is not called.
 */
interface PusherApplication extends Application
{
    /** A client has subscribed to a channel. */
    public function onSubscribe(Subscriber $subscriber): void;

    /** A client has left a channel, or its connection has ended. */
    public function onUnsubscribe(Subscriber $subscriber): void;

    /**
     * A client has sent an event to the others in a channel.
     *
     * @param string $event its name: client-…
     * @param string $data  its data, as JSON
     */
    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void;
}
