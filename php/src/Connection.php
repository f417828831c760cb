<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * The client that the current event belongs to.
 *
 * Each event comes with a new object, on whichever thread serves it. Path, ip and sub-protocol of the handshake are known in every
 * event. Its query, headers and cookies come with the open event only; in onMessage and onClose they are null. Tag the connection in
 * onOpen with what later events need, or store information.
 */
final class Connection extends Client
{
    /** Of the handshake's URL, as sent. Null after the event, when the client is gone; the next two as well. */
    public readonly ?string $path;

    /** The client's address, trusted proxies respected. */
    public readonly ?string $ip;

    /** The negotiated sub-protocol, "" without one. */
    public readonly ?string $subprotocol;

    /** Whether the server was asked for these three. */
    private bool $asked = false;

    /**
     * @param string                     $id          the connection's public id
     * @param string                     $route       name of the `websocket` route that accepted it
     * @param string|null                $path        null: the server is asked for path, ip and sub-protocol when one of them is read
     * @param string|null                $query       of the handshake's URL, without the question mark
     * @param array<string, string>|null $headers     of the handshake, by lower-case name; repeated ones are joined with ", "
     * @param array<string, string>|null $cookies     of the handshake, by name, URL-decoded
     * @param \Psr\Log\LoggerInterface|null $log      where logger() writes; null: the server's log
     */
    public function __construct(
        string $id,
        public readonly string $route,
        ?string $path = null,
        public readonly ?string $query = null,
        public readonly ?array $headers = null,
        public readonly ?array $cookies = null,
        ?string $ip = null,
        ?string $subprotocol = null,
        private readonly ?\Psr\Log\LoggerInterface $log = null,
    ) {
        parent::__construct($id);
        if ($path !== null) {
            [$this->path, $this->ip, $this->subprotocol] = [$path, $ip, $subprotocol];
        } else {
            // Most events never read them, so they cost nothing until then: PHP calls __get() for a property that was unset.
            unset($this->path, $this->ip, $this->subprotocol);
        }
    }

    /** Reads path, ip and subprotocol for the first time. */
    public function __get(string $name): ?string
    {
        if (!in_array($name, ['path', 'ip', 'subprotocol'], true)) {
            trigger_error('Undefined property: ' . self::class . "::\$$name", E_USER_WARNING);

            return null;
        }
        // The operator ?? comes here twice: for __isset(), and then for the value.
        if (!$this->asked) {
            $this->asked = true;
            $facts = $this->facts();
            [$this->path, $this->ip, $this->subprotocol] = [$facts['path'] ?? null, $facts['ip'] ?? null, $facts['subprotocol'] ?? null];
        }

        return $this->$name;
    }

    public function __isset(string $name): bool
    {
        return in_array($name, ['path', 'ip', 'subprotocol'], true) && $this->__get($name) !== null;
    }

    /** A logger whose records say which connection and route they are about. */
    public function logger(): Logger
    {
        return new Logger(['connection' => $this->id, 'route' => $this->route], $this->log);
    }
}
