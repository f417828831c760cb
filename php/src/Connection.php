<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * The connection that the current event belongs to.
 *
 * It is a name for a connection, not the connection, which lives in the core: each event comes with a new object, on
 * whichever thread serves it. The facts of the handshake (path, query, headers, cookies, ip, subprotocol) come with the
 * open event only; in onMessage and onClose they are null. Tag the connection in onOpen with what later events need.
 */
final class Connection
{
    /**
     * @param string                     $id          the connection's public id, for frankenphp_ws_send() and the others
     * @param string                     $route       name of the `websocket` route that accepted it
     * @param string|null                $path        of the handshake's URL, as sent
     * @param string|null                $query       of the handshake's URL, without the question mark
     * @param array<string, string>|null $headers     of the handshake, by lower-case name; repeated ones are joined with ", "
     * @param array<string, string>|null $cookies     of the handshake, by name, URL-decoded
     * @param string|null                $ip          the client's address, trusted proxies respected
     * @param string|null                $subprotocol the negotiated one, "" without one
     */
    public function __construct(
        public readonly string $id,
        public readonly string $route,
        public readonly ?string $path = null,
        public readonly ?string $query = null,
        public readonly ?array $headers = null,
        public readonly ?array $cookies = null,
        public readonly ?string $ip = null,
        public readonly ?string $subprotocol = null,
    ) {
    }

    /**
     * Sends a text message.
     *
     * @return bool false when it was not queued: the client's outbox is full, or the client is gone
     *
     * @throws InvalidArgumentException when $data is not UTF-8 or larger than allowed
     */
    public function send(string $data): bool
    {
        return \frankenphp_ws_send($this->id, $data);
    }

    /**
     * Sends a binary message.
     *
     * @return bool false when it was not queued: the client's outbox is full, or the client is gone
     *
     * @throws InvalidArgumentException when $data is larger than allowed
     */
    public function sendBinary(string $data): bool
    {
        return \frankenphp_ws_send($this->id, $data, null, true);
    }

    /**
     * Starts the closing handshake.
     *
     * @param int    $code   1000 to 1003, 1007 to 1014, or 3000 to 4999
     * @param string $reason at most 123 bytes of UTF-8
     *
     * @throws UnknownClientException   when the connection is gone
     * @throws InvalidArgumentException when the code or the reason cannot be sent
     */
    public function close(int $code = 1000, string $reason = ''): void
    {
        \frankenphp_ws_close($this->id, $code, $reason);
    }

    /**
     * Adds a tag, which any PHP code may then send to; it goes when the connection goes.
     *
     * @throws UnknownClientException   when the connection is gone
     * @throws InvalidArgumentException when the tag is empty, longer than 255 bytes, or not UTF-8
     */
    public function tag(string $tag): void
    {
        \frankenphp_ws_tagClient($this->id, $tag);
    }

    /**
     * Removes a tag; one that it does not have is no error.
     *
     * @throws UnknownClientException   when the connection is gone
     * @throws InvalidArgumentException when the tag is empty, longer than 255 bytes, or not UTF-8
     */
    public function untag(string $tag): void
    {
        \frankenphp_ws_untagClient($this->id, $tag);
    }

    /**
     * @return list<string>
     *
     * @throws UnknownClientException when the connection is gone
     */
    public function tags(): array
    {
        return \frankenphp_ws_getTags($this->id);
    }
}
