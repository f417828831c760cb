<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * A logger with the methods of PSR-3 whose records carry a fixed context.
 *
 * It writes to a PSR-3 logger, or, without one, to the server's log: as a structured record inside FrankenPHP, as a line of
 * error_log() elsewhere. The package psr/log is not needed.
 */
final class Logger
{
    /** PSR-3's levels as those of frankenphp_log(), which are Go's. */
    private const LEVELS = [
        'debug' => -4, 'info' => 0, 'notice' => 2, 'warning' => 4, 'error' => 8, 'critical' => 12, 'alert' => 16, 'emergency' => 20,
    ];

    /** @param array<string, mixed> $context part of every record */
    public function __construct(private readonly array $context = [], private readonly ?\Psr\Log\LoggerInterface $to = null)
    {
    }

    /** @param array<string, mixed> $context */
    public function emergency(string|\Stringable $message, array $context = []): void
    {
        $this->log('emergency', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function alert(string|\Stringable $message, array $context = []): void
    {
        $this->log('alert', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function critical(string|\Stringable $message, array $context = []): void
    {
        $this->log('critical', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function error(string|\Stringable $message, array $context = []): void
    {
        $this->log('error', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function warning(string|\Stringable $message, array $context = []): void
    {
        $this->log('warning', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function notice(string|\Stringable $message, array $context = []): void
    {
        $this->log('notice', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function info(string|\Stringable $message, array $context = []): void
    {
        $this->log('info', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function debug(string|\Stringable $message, array $context = []): void
    {
        $this->log('debug', $message, $context);
    }

    /**
     * @param string               $level   one of PSR-3's eight
     * @param string|\Stringable   $message in the server's log, `{key}` in it stands for that value of the context
     * @param array<string, mixed> $context
     */
    public function log(string $level, string|\Stringable $message, array $context = []): void
    {
        $context += $this->context;
        if ($this->to !== null) {
            $this->to->log($level, $message, $context);

            return;
        }
        if (!isset(self::LEVELS[$level])) {
            throw Caller::blame(new \InvalidArgumentException("\$level must be one of PSR-3's (" . implode(', ', array_keys(self::LEVELS)) . "), \"$level\" given"));
        }
        $values = array_map(self::scalar(...), $context);
        $text = strtr((string) $message, array_combine(
            array_map(static fn (int|string $key): string => '{' . $key . '}', array_keys($values)),
            array_map(strval(...), $values),
        ));
        if (\function_exists('frankenphp_log')) {
            \frankenphp_log($text, self::LEVELS[$level], $values);
        } else {
            error_log("[$level] $text " . json_encode($values, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE));
        }
    }

    private static function scalar(mixed $value): string|int|float|bool
    {
        return match (true) {
            is_scalar($value) => $value,
            $value instanceof \Throwable => sprintf('%s: %s in %s:%d', $value::class, $value->getMessage(), $value->getFile(), $value->getLine()),
            $value instanceof \Stringable => (string) $value,
            default => (string) json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_UNESCAPED_SLASHES),
        };
    }
}
