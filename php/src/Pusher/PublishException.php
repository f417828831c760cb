<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** A message was not published, or it is not certain that it was. */
final class PublishException extends \RuntimeException
{
    /** @param bool $isFinal the message itself is what cannot be published: to try again is of no use */
    public function __construct(string $message, int $code = 0, ?\Throwable $previous = null, public readonly bool $isFinal = false)
    {
        parent::__construct($message, $code, $previous);
    }
}
