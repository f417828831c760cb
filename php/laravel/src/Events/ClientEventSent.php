<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Subscriber;

/** A client has sent an event to the others in a channel: a whisper of Echo. $event is its name, client-…; the others have it already. */
final class ClientEventSent
{
    public function __construct(public readonly Subscriber $subscriber, public readonly string $event, public readonly string $data)
    {
    }

    /**
     * The data of the event.
     *
     * @throws \JsonException when it is no JSON
     */
    public function json(): mixed
    {
        return json_decode($this->data, true, flags: JSON_THROW_ON_ERROR);
    }
}
