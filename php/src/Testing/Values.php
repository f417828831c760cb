<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/**
 * The global values, with the clock of the fake server.
 *
 * @internal
 */
final class Values
{
    private const MAX_KEY = 1024;
    private const MAX_ENTRIES = 1_000_000;
    private const MAX_BYTES = 256 << 20;
    private const OVERHEAD = 128;

    /** @var array<array-key, array{value: string, expires: int|null}> */
    private array $entries = [];
    private int $bytes = 0;

    public function set(string $key, string $value, int $expireSeconds, int $now): void
    {
        self::check($key, $expireSeconds);
        $this->put($key, $value, $expireSeconds === 0 ? null : $now + 1000 * min($expireSeconds, intdiv(PHP_INT_MAX - $now, 1000)), $now);
    }

    public function add(string $key, string $value, int $expireSeconds, int $now): bool
    {
        self::check($key, $expireSeconds);
        if ($this->get($key, $now) !== null) {
            return false;
        }
        $this->set($key, $value, $expireSeconds, $now);

        return true;
    }

    public function get(string $key, int $now): ?string
    {
        return $this->live($key, $now)['value'] ?? null;
    }

    public function delete(string $key, int $now): bool
    {
        $live = $this->live($key, $now) !== null;
        $this->remove($key);

        return $live;
    }

    public function increment(string $key, int $by, int $now): int
    {
        self::check($key, 0);
        $entry = $this->live($key, $now);
        $before = self::integer($entry['value'] ?? '0');
        $sum = $before === null ? null : $before + $by;
        if (!is_int($sum)) {
            throw Refusal::invalid("the value of \"$key\" is not an integer of 64 bits, or would not be one after the increment");
        }
        $this->put($key, (string) $sum, $entry['expires'] ?? null, $now);

        return $sum;
    }

    /** Seconds left, rounded up; -1: it does not expire; null: there is no value. */
    public function ttl(string $key, int $now): ?int
    {
        $entry = $this->live($key, $now);

        return match (true) {
            $entry === null => null,
            $entry['expires'] === null => -1,
            default => intdiv($entry['expires'] - $now + 999, 1000),
        };
    }

    /** @return array{value: string, expires: int|null}|null */
    private function live(string $key, int $now): ?array
    {
        $entry = $this->entries[$key] ?? null;

        return $entry === null || ($entry['expires'] !== null && $entry['expires'] <= $now) ? null : $entry;
    }

    private function put(string $key, string $value, ?int $expires, int $now): void
    {
        foreach ($this->entries as $name => $entry) {
            if ($entry['expires'] !== null && $entry['expires'] <= $now) {
                $this->remove((string) $name);
            }
        }
        $replaced = isset($this->entries[$key]) ? self::weight($key, $this->entries[$key]['value']) : 0;
        if (count($this->entries) + ($replaced === 0 ? 1 : 0) > self::MAX_ENTRIES
            || $this->bytes - $replaced + self::weight($key, $value) > self::MAX_BYTES) {
            throw Refusal::full('the key-value store is full: delete values, or let them expire');
        }
        $this->remove($key);
        $this->entries[$key] = ['value' => $value, 'expires' => $expires];
        $this->bytes += self::weight($key, $value);
    }

    private function remove(string $key): void
    {
        if (isset($this->entries[$key])) {
            $this->bytes -= self::weight($key, $this->entries[$key]['value']);
            unset($this->entries[$key]);
        }
    }

    private static function weight(string $key, string $value): int
    {
        return strlen($key) + strlen($value) + self::OVERHEAD;
    }

    private static function check(string $key, int $expireSeconds): void
    {
        if ($expireSeconds < 0) {
            throw Refusal::invalid("\$expireSeconds must be 0 (never) or more, $expireSeconds given");
        }
        Refusal::unlessLength('key', $key, self::MAX_KEY);
    }

    /** null: no decimal integer of 64 bits. */
    private static function integer(string $text): ?int
    {
        if (preg_match('/\A([+-]?)0*(\d+)\z/', $text, $match) !== 1) {
            return null;
        }
        $canonical = ($match[1] === '-' && $match[2] !== '0' ? '-' : '') . $match[2];

        return (string) (int) $canonical === $canonical ? (int) $canonical : null;
    }
}
