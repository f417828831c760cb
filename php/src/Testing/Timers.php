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
    /** @var array<int, array{due: int, ms: int, repeat: bool, payload: string, name: string|null}> */
    private array $timers = [];
    private int $last = 0;

    /** One of the same name is replaced, unless it is the same timer: that goes on. */
    public function set(int $milliseconds, string $payload, bool $repeat, int $now, ?string $name = null): int
    {
        $wanted = ['ms' => $milliseconds, 'repeat' => $repeat, 'payload' => $payload, 'name' => $name];
        foreach ($name === null ? [] : $this->timers as $id => $timer) {
            if ($timer['name'] === $name) {
                if (array_intersect_key($timer, $wanted) == $wanted) {
                    return $id;
                }
                unset($this->timers[$id]);
            }
        }
        $this->timers[++$this->last] = ['due' => $now + $milliseconds] + $wanted;

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
        if ($timer['repeat']) {
            $this->timers[$id]['due'] += $timer['ms'];
        } else {
            unset($this->timers[$id]);
        }

        return ['type' => 'timer', 'timer' => $id, 'payload' => $timer['payload']];
    }
}
