<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

use FrankenPHP\WebSocket\InvalidArgumentException;

/**
 * By the function of the frankenphp binary: in the server's own process, or, in its `php-cli` scripts, by the control socket.
 */
final class ServerTransport implements Transport
{
    public const FUNCTION = 'frankenphp_ws_publish';

    /** FWS_ERR_NO_APP of fws.h: a reload may bring the application. */
    private const NO_APP = 43;

    public function __construct(private readonly App $app)
    {
    }

    /** Whether this PHP is that of a frankenphp binary that knows the Pusher protocol. The function of a fake server does not count. */
    public static function isThere(): bool
    {
        return \function_exists(self::FUNCTION) && (new \ReflectionFunction(self::FUNCTION))->isInternal();
    }

    public function publish(Message $message): void
    {
        foreach (array_chunk($message->channels, Message::MAX_CHANNELS) as $channels) {
            try {
                $sent = (self::FUNCTION)($channels, $message->event, $message->data, $message->exceptSocketId, $this->app->id);
            } catch (\FrankenPHP\WebSocket\Exception $error) {
                $isFinal = $error instanceof InvalidArgumentException && $error->getCode() !== self::NO_APP;
                throw new PublishException("\"$message->event\" was not published: {$error->getMessage()}", $error->getCode(), $error, $isFinal);
            }
            if ($sent === false) {
                throw new PublishException("\"$message->event\" was not published: the server did not take it; its log says why");
            }
        }
    }

    public function name(): string
    {
        return PHP_SAPI === 'cli' ? 'the control socket' : 'the server\'s own process';
    }
}
