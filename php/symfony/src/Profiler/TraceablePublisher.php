<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Profiler;

use FrankenPHP\WebSocket\Pusher\Encryption;
use FrankenPHP\WebSocket\Pusher\Publisher;
use Symfony\Component\Stopwatch\Stopwatch;

/**
 * Tells the profiler what is published.
 *
 * @internal
 */
final class TraceablePublisher extends Publisher
{
    public function __construct(private readonly Publisher $publisher, private readonly PublishedMessages $messages, private readonly ?Stopwatch $stopwatch = null)
    {
        parent::__construct(static fn () => throw new \LogicException('bug: the publisher within publishes'));
    }

    public function publish(string|array $channels, string $event, mixed $data = [], ?string $except = null): void
    {
        $watch = $this->stopwatch?->start("publish $event", 'websocket');
        $start = hrtime(true);
        $failed = null;
        try {
            $this->publisher->publish($channels, $event, $data, $except);
        } catch (\Throwable $error) {
            $failed = $error->getMessage();
            throw $error;
        } finally {
            $watch?->stop();
            $channels = array_values((array) $channels);
            $this->messages->add([
                'channels' => $channels, 'event' => $event, 'data' => self::isSecret($channels) ? 'not shown: a channel is encrypted' : $data,
                'except' => $except, 'milliseconds' => (hrtime(true) - $start) / 1e6, 'error' => $failed,
            ]);
        }
    }

    public function way(): string
    {
        return $this->publisher->way();
    }

    /**
     * Profiles are files that stay.
     *
     * @param list<mixed> $channels
     */
    private static function isSecret(array $channels): bool
    {
        return array_filter($channels, static fn (mixed $channel): bool => is_string($channel) && Encryption::isFor($channel)) !== [];
    }
}
