<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * What happens on the connections of one worker.
 *
 * The events of one connection arrive one at a time and in order: onOpen, each onMessage, onClose. Different connections
 * are served in parallel by the worker's threads, and two events of one connection may be served by different threads, so
 * a property of the application is no place for what belongs to a connection: tags are.
 */
interface Application
{
    /** A client has connected. Only here does $connection know the query, headers and cookies of the handshake. */
    public function onOpen(Connection $connection): void;

    /** A whole message has arrived. Text ($binary is false) is valid UTF-8. */
    public function onMessage(Connection $connection, string $data, bool $binary): void;

    /**
     * The connection has ended: nothing can be sent on it any more.
     *
     * @param int    $code   of the first close frame that either side sent; 1005: it had none; 1006: neither sent one
     * @param string $reason of that frame, or in the server's words what cut the connection
     */
    public function onClose(Connection $connection, int $code, string $reason): void;

    /**
     * One of the methods above has thrown $error.
     *
     * When this method returns, the event is reported as failed: the core counts it and logs the error. Where onOpen failed
     * the connection is closed with 1011, else the route's `on_error` option applies. The worker goes on with the next event.
     */
    public function onError(Connection $connection, \Throwable $error): void;
}
