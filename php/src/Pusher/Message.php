<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** An event for all subscribers of some channels. */
final class Message
{
    /** So many channels may one call name. */
    public const MAX_CHANNELS = 100;

    /**
     * @param non-empty-list<string> $channels
     * @param string                 $data           usually JSON
     * @param string|null            $exceptSocketId the connection that is left out: that of the user who caused the event
     *
     * @throws RefusedException when a channel or the socket id is none
     */
    public function __construct(
        public readonly array $channels,
        public readonly string $event,
        public readonly string $data,
        public readonly ?string $exceptSocketId = null,
    ) {
        array_map(Signer::checkChannel(...), $channels);
        if ($exceptSocketId !== null) {
            Signer::checkSocketId($exceptSocketId);
        }
    }

    /** @param non-empty-list<string> $channels */
    public function to(array $channels, ?string $data = null): self
    {
        return new self($channels, $this->event, $data ?? $this->data, $this->exceptSocketId);
    }
}
