<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Connection;

/** A whole message has arrived. Text is valid UTF-8. */
final class MessageReceived
{
    public function __construct(public readonly Connection $connection, public readonly string $data, public readonly bool $binary)
    {
    }

    /**
     * The message as JSON.
     *
     * @throws \JsonException when it is none
     */
    public function json(): mixed
    {
        return json_decode($this->data, true, flags: JSON_THROW_ON_ERROR);
    }
}
