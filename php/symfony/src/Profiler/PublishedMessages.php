<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Profiler;

use Symfony\Contracts\Service\ResetInterface;

/**
 * What has been published since the last reset, for the profiler. It is apart from the publisher: the panel of a page that publishes nothing
 * must not need what the publisher needs.
 *
 * @internal
 */
final class PublishedMessages implements ResetInterface
{
    /** So many are remembered: a command may publish for hours. */
    public const MAX = 500;

    /** @var list<array{channels: list<string>, event: string, data: mixed, except: string|null, milliseconds: float, error: string|null}> */
    private array $messages = [];

    private int $more = 0;

    /** @param array{channels: list<string>, event: string, data: mixed, except: string|null, milliseconds: float, error: string|null} $message */
    public function add(array $message): void
    {
        if (count($this->messages) < self::MAX) {
            $this->messages[] = $message;
        } else {
            $this->more++;
        }
    }

    /** @return list<array{channels: list<string>, event: string, data: mixed, except: string|null, milliseconds: float, error: string|null}> */
    public function all(): array
    {
        return $this->messages;
    }

    /** How many were published that are not remembered. */
    public function more(): int
    {
        return $this->more;
    }

    public function reset(): void
    {
        $this->messages = [];
        $this->more = 0;
    }
}
