<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

use FrankenPHP\WebSocket\ControlException;

/** One way, and another one where the first does not reach a server. */
final class FallbackTransport implements Transport
{
    /** FWS_ERR_CONTROL_LOST of fws.h: the message may have been published, so it is not published again. */
    private const LOST = 30;

    public function __construct(private readonly Transport $first, private readonly Transport $second)
    {
    }

    public function publish(Message $message): void
    {
        try {
            $this->first->publish($message);
        } catch (PublishException $error) {
            if (!$error->getPrevious() instanceof ControlException || $error->getCode() === self::LOST) {
                throw $error;
            }
            $this->second->publish($message);
        }
    }

    public function name(): string
    {
        return "{$this->first->name()}, or else {$this->second->name()}";
    }
}
