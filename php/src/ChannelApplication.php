<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * An application that is told what becomes of channels of the Pusher protocol, in a worker that a `webhook` names: docs/pusher.md.
 *
 * Over several servers each of it is told once, by the server where it happened. Events of one channel come one at a time, those of one kind in order.
 * What these methods throw fails the event, which is counted and logged; onError is for connections and is not called.
 */
interface ChannelApplication extends Application
{
    /** A channel has its first subscriber. */
    public function onChannelOccupied(Channel $channel): void;

    /** A channel has lost its last subscriber. */
    public function onChannelVacated(Channel $channel): void;

    /** A client has subscribed to a cache channel that keeps no event. */
    public function onCacheMiss(Channel $channel): void;

    /**
     * A channel has another number of subscribers.
     *
     * @param int $count how many, on all servers. Numbers that had to wait for the worker are left out where a later one is there
     */
    public function onSubscriptionCount(Channel $channel, int $count): void;
}
