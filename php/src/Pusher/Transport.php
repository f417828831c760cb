<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** A way from PHP to the server. */
interface Transport
{
    /**
     * @throws PublishException when the message did not reach the server, or the server did not take it
     */
    public function publish(Message $message): void;

    /** Which way it is, for people. */
    public function name(): string;
}
