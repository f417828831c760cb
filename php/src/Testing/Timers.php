<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/**
 * Timers on the clock of the fake server.
 *
 * @internal
 */
final class Timers
{
    /** @var array<int, array{due: int, every: int|null, payload: string}> */
    private array $timers = [];
    private int $last = 0;

    public function set(int $milliseconds, string $payload, bool $repeat, int $now): int
    {
        $this->timers[++$this->last] = ['due' => $now + $milliseconds, 'every' => $repeat ? $milliseconds : null, 'payload' => $payload];

        return $this->last;
    }

    public function clear(int $id): bool
    {
        $known = isset($this->timers[$id]);
        unset($this->timers[$id]);

        return $known;
    }

    /** When the next one goes off. */
    public function due(): ?int
    {
        return $this->timers === [] ? null : min(array_column($this->timers, 'due'));
    }

    /** @return array{type: 'timer', timer: int, payload: string} the event of one that goes off at $due */
    public function take(int $due): array
    {
        $id = array_search($due, array_map(static fn (array $timer): int => $timer['due'], $this->timers), true);
        $timer = $this->timers[$id];
        if ($timer['every'] === null) {
            unset($this->timers[$id]);
        } else {
            $this->timers[$id]['due'] += $timer['every'];
        }

        return ['type' => 'timer', 'timer' => $id, 'payload' => $timer['payload']];
    }
}
