<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

use FrankenPHP\WebSocket\ControlException;
use FrankenPHP\WebSocket\NotRunningException;

/** One way, and another one where the first does not reach a server. */
final class FallbackTransport implements Transport
{
    /** FWS_ERR_CONTROL_LOST of fws.h: the message may have been published, so it is not published again. */
    private const LOST = 30;

    /** @param Transport|\Closure(): Transport $second a function is called when it is needed */
    public function __construct(private readonly Transport $first, private Transport|\Closure $second)
    {
    }

    public function publish(Message $message): void
    {
        try {
            $this->first->publish($message);
        } catch (PublishException $error) {
            $cause = $error->getPrevious();
            $noServer = $cause instanceof NotRunningException || ($cause instanceof ControlException && $error->getCode() !== self::LOST);
            if (!$noServer) {
                throw $error;
            }
            $this->insteadOf($error, $message);
        }
    }

    /** What was wrong with the first way may be what has to be mended, so it is told as well. */
    private function insteadOf(PublishException $first, Message $message): void
    {
        try {
            $this->second()->publish($message);
        } catch (PublishException $error) {
            throw new PublishException("{$error->getMessage()}. It went this way because {$this->first->name()} did not work: {$first->getMessage()}", $error->getCode(), $error, $error->isFinal);
        }
    }

    public function name(): string
    {
        return "{$this->first->name()}, or else {$this->second()->name()}";
    }

    private function second(): Transport
    {
        return $this->second instanceof Transport ? $this->second : $this->second = ($this->second)();
    }
}
