<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Profiler;

use FrankenPHP\WebSocket\Pusher\Publisher;
use Symfony\Component\Stopwatch\Stopwatch;
use Symfony\Contracts\Service\ResetInterface;

/**
 * Remembers what is published, for the profiler.
 *
 * @internal
 */
final class TraceablePublisher extends Publisher implements ResetInterface
{
    /** @var list<array{channels: list<string>, event: string, data: mixed, except: string|null, milliseconds: float, error: string|null}> */
    private array $published = [];

    public function __construct(private readonly Publisher $publisher, private readonly ?Stopwatch $stopwatch = null)
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
            $this->published[] = [
                'channels' => array_values((array) $channels), 'event' => $event, 'data' => $data, 'except' => $except,
                'milliseconds' => (hrtime(true) - $start) / 1e6, 'error' => $failed,
            ];
        }
    }

    public function way(): string
    {
        return $this->publisher->way();
    }

    /** @return list<array{channels: list<string>, event: string, data: mixed, except: string|null, milliseconds: float, error: string|null}> */
    public function published(): array
    {
        return $this->published;
    }

    public function reset(): void
    {
        $this->published = [];
    }
}
