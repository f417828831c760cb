<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** An application that wants to know who joins channels with presence, and who leaves them: docs/presence.md. */
interface PresenceApplication extends Application
{
    /**
     * A user's first connection has come into a channel. It belongs to no connection, and any thread of the worker may get it.
     *
     * What this method throws fails the event, which is counted and logged; onError is for connections and is not called.
     */
    public function onJoin(Member $member): void;

    /** A user's last connection has left a channel, and has not come back in the channel's time of grace. For the rest as onJoin. */
    public function onLeave(Member $member): void;
}
