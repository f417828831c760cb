<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * The client that the current event belongs to.
 *
 * Each event comes with a new object, on whichever thread serves it. The facts of the handshake (path, query, headers, cookies,
 * ip, subprotocol) come with the open event only; in onMessage and onClose they are null. Tag the connection in onOpen with what
 * later events need, or store information.
 */
final class Connection extends Client
{
    /**
     * @param string                     $id          the connection's public id
     * @param string                     $route       name of the `websocket` route that accepted it
     * @param string|null                $path        of the handshake's URL, as sent
     * @param string|null                $query       of the handshake's URL, without the question mark
     * @param array<string, string>|null $headers     of the handshake, by lower-case name; repeated ones are joined with ", "
     * @param array<string, string>|null $cookies     of the handshake, by name, URL-decoded
     * @param string|null                $ip          the client's address, trusted proxies respected
     * @param string|null                $subprotocol the negotiated one, "" without one
     * @param \Psr\Log\LoggerInterface|null $log      where logger() writes; null: the server's log
     */
    public function __construct(
        string $id,
        public readonly string $route,
        public readonly ?string $path = null,
        public readonly ?string $query = null,
        public readonly ?array $headers = null,
        public readonly ?array $cookies = null,
        public readonly ?string $ip = null,
        public readonly ?string $subprotocol = null,
        private readonly ?\Psr\Log\LoggerInterface $log = null,
    ) {
        parent::__construct($id);
    }

    /** A logger whose records say which connection and route they are about. */
    public function logger(): Logger
    {
        return new Logger(['connection' => $this->id, 'route' => $this->route], $this->log);
    }
}
