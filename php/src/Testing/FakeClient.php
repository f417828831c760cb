<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/** A client of the fake server: what it does, and what it has received. FakeServer::connect() makes it. */
final class FakeClient
{
    /** Its id, which changes when the application renames it. */
    public string $id;

    /** @var list<FakeMessage> all that it was sent, in order */
    public array $received = [];

    /** The close code it has seen: the server's, or its own; 1006 after a cut; null while it is connected. */
    public ?int $closeCode = null;

    public string $closeReason = '';

    /** Whether its connection broke, and it is waited for: see suspend(). */
    public bool $suspended = false;

    /** While true, it does not read and its outbox is full: send() answers false, group sends leave it out. */
    public bool $stalled = false;

    /**
     * @internal
     *
     * @var list<string>
     */
    public array $tags = [];

    /**
     * @internal whose it is, and what was said about the user
     *
     * @var array{string, string}|null
     */
    public ?array $user = null;

    /** @internal */
    public readonly StoredInformation $information;

    /** @internal whether it is listed, counted and sent to */
    public bool $live = true;

    /** @internal which of the server's threads had its last event; null: it had none */
    public ?int $thread = null;

    /** @internal messages that no event told, since the server had closed it */
    public int $discarded = 0;

    private int $taken = 0;

    private readonly float $connectedAt;
    private ?float $lastMessageAt = null;
    private int $messages = 0;
    private int $bytes = 0;

    /** @internal */
    public function __construct(
        string $id,
        public readonly string $route,
        private readonly string $path,
        private readonly string $ip,
        private readonly string $subprotocol,
        private readonly FakeServer $server,
    ) {
        $this->id = $id;
        $this->information = new StoredInformation();
        $this->connectedAt = microtime(true);
    }

    /** Sends a text message to the application. */
    public function send(string $data): void
    {
        $this->server->receive($this, $data);
    }

    /** Sends a binary message to the application. */
    public function sendBinary(string $data): void
    {
        $this->server->receive($this, $data, true);
    }

    /** Closes the connection with a closing handshake. */
    public function close(int $code = 1000, string $reason = ''): void
    {
        $this->server->disconnect($this, $code, $reason);
    }

    /** Is gone without a closing handshake, as when the network breaks. */
    public function vanish(): void
    {
        $this->server->disconnect($this, 1006, 'the connection was cut without a close frame', false);
    }

    /** Its network is away, on a route with `resume`: it is waited for, and what it is sent is kept for it until it resumes. */
    public function suspend(): void
    {
        $this->server->suspend($this);
    }

    /**
     * Its network is back: it gets what was kept for it.
     *
     * @param string                $query   of its new request
     * @param array<string, string> $headers by name
     * @param array<string, string> $cookies by name
     */
    public function resume(string $query = '', array $headers = [], array $cookies = []): void
    {
        $this->server->resume($this, ['type' => 'resume', 'path' => $this->path, 'query' => $query, 'headers' => array_change_key_case($headers),
            'cookies' => $cookies, 'ip' => $this->ip, 'subprotocol' => $this->subprotocol, 'user' => $this->user[0] ?? '']);
    }

    /** @return list<string> the data of the messages since the last call; none while its network is away */
    public function take(): array
    {
        if ($this->suspended) {
            return [];
        }
        $new = array_slice($this->received, $this->taken);
        $this->taken = count($this->received);

        return array_column($new, 'data');
    }

    /** @internal */
    public function arrived(string $data): void
    {
        $this->lastMessageAt = microtime(true);
        $this->messages++;
        $this->bytes += strlen($data);
    }

    /**
     * @internal as frankenphp_ws_getClient() returns them; bytes are those of messages alone, and no ping is ever answered
     *
     * @return array<string, mixed>
     */
    public function facts(): array
    {
        return [
            'id' => $this->id, 'route' => $this->route, 'path' => $this->path, 'ip' => $this->ip, 'subprotocol' => $this->subprotocol,
            'transport' => 'tcp', 'user' => $this->user[0] ?? '', 'connected' => $this->live, 'suspended' => $this->suspended, 'connected_at' => $this->connectedAt, 'last_message_at' => $this->lastMessageAt,
            'messages_received' => $this->messages, 'bytes_received' => $this->bytes, 'messages_sent' => count($this->received),
            'bytes_sent' => array_sum(array_map(static fn (FakeMessage $message): int => strlen($message->data), $this->received)),
            'messages_dropped' => 0, 'messages_discarded' => $this->discarded, 'queued_bytes' => 0, 'ping_time' => 0, 'tags' => $this->tags,
        ];
    }

    public function isConnected(): bool
    {
        return $this->closeCode === null;
    }
}
