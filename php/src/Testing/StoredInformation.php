<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/**
 * What is stored about one fake client.
 *
 * @internal
 */
final class StoredInformation
{
    private const MAX_NAME = 255;
    private const MAX_KEYS = 256;
    private const MAX_BYTES = 4 << 20;
    private const MAX_PATTERN = 4096;

    /** @var array<array-key, string> */
    private array $values = [];

    public function set(string $key, string $value): void
    {
        self::checkKey($key);
        $values = [$key => $value] + $this->values;
        $bytes = strlen(implode('', array_keys($values))) + strlen(implode('', $values));
        if (count($values) > self::MAX_KEYS || $bytes > self::MAX_BYTES) {
            throw Refusal::full('a client has at most 256 keys and 4 MiB of stored information');
        }
        ksort($values, SORT_STRING);
        $this->values = $values;
    }

    public static function checkKey(string $key): void
    {
        Refusal::unlessLength('key', $key, self::MAX_NAME);
    }

    public function get(string $key): ?string
    {
        return $this->values[$key] ?? null;
    }

    public function delete(string $key): bool
    {
        $there = isset($this->values[$key]);
        unset($this->values[$key]);

        return $there;
    }

    public function clear(): void
    {
        $this->values = [];
    }

    /** @return array<array-key, string> */
    public function all(): array
    {
        return $this->values;
    }

    /**
     * The comparison of frankenphp_ws_searchStoredInformation(). Regular expressions are PHP's here, so one with what the server's do not
     * have (look-around, backreferences) is refused, and values that are not UTF-8 do not fit.
     *
     * @return \Closure(string): bool
     */
    public static function matcher(string $operator, string $value): \Closure
    {
        $folding = static function (\Closure $fits) use ($value): \Closure {
            $folded = Folding::fold($value);

            return static fn (string $stored): bool => $fits(Folding::fold($stored), $folded);
        };

        return match ($operator) {
            FRANKENPHP_WS_OP_EQ => static fn (string $stored): bool => $stored === $value,
            FRANKENPHP_WS_OP_NEQ => static fn (string $stored): bool => $stored !== $value,
            FRANKENPHP_WS_OP_PREFIX => static fn (string $stored): bool => str_starts_with($stored, $value),
            FRANKENPHP_WS_OP_SUFFIX => static fn (string $stored): bool => str_ends_with($stored, $value),
            FRANKENPHP_WS_OP_CONTAINS => static fn (string $stored): bool => str_contains($stored, $value),
            FRANKENPHP_WS_OP_IEQ => $folding(static fn (string $stored, string $value): bool => $stored === $value),
            FRANKENPHP_WS_OP_IPREFIX => $folding(str_starts_with(...)),
            FRANKENPHP_WS_OP_ISUFFIX => $folding(str_ends_with(...)),
            FRANKENPHP_WS_OP_ICONTAINS => $folding(str_contains(...)),
            FRANKENPHP_WS_OP_REGEX => self::pattern($value),
            default => throw Refusal::invalid("\$operator must be one of the constants FRANKENPHP_WS_OP_*, \"$operator\" given"),
        };
    }

    /** @return \Closure(string): bool */
    private static function pattern(string $given): \Closure
    {
        $refuse = static fn (string $why): \Throwable => Refusal::invalid("\$value: the regular expression cannot be used: $why");
        if (preg_match('//u', $given) !== 1) {
            throw $refuse('it is not UTF-8');
        }
        if (strlen($given) > self::MAX_PATTERN) {
            throw $refuse('it has more than ' . self::MAX_PATTERN . ' bytes');
        }
        if (preg_match('/(?<!\\\\)(?:\\\\\\\\)*(?:\\\\[1-9kg]|\(\?(?:<?[=!]|>|[R0-9&|(]))/', $given) === 1) {
            throw $refuse('look-around and backreferences are not supported');
        }
        $delimited = "\x01" . str_replace("\x01", '\x01', $given) . "\x01uD";
        if (@preg_match($delimited, '') === false) {
            throw $refuse(preg_last_error_msg());
        }

        return static fn (string $stored): bool => preg_match($delimited, $stored) === 1;
    }
}
