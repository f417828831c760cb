<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

use FrankenPHP\WebSocket\Caller;
use FrankenPHP\WebSocket\Exception;
use FrankenPHP\WebSocket\InvalidArgumentException;
use FrankenPHP\WebSocket\UnknownRouteException;

/**
 * The checks and the exceptions of the fake functions, worded as the extension words its own.
 *
 * @internal
 */
final class Refusal
{
    public static function invalid(string $text): InvalidArgumentException
    {
        return Caller::blame(new InvalidArgumentException(self::function() . "(): $text"));
    }

    public static function full(string $text): Exception
    {
        return Caller::blame(new Exception(self::function() . "(): $text"));
    }

    /** @param list<string> $known */
    public static function unknownRoute(string $name, array $known): UnknownRouteException
    {
        $quoted = static fn (string $name): string => '"' . preg_replace_callback(
            '/\p{Cc}/u',
            static fn (array $match): string => sprintf('\u{%x}', preg_match('/\A[\x00-\x7F]/', $match[0]) === 1 ? ord($match[0]) : ord($match[0][1])),
            (string) preg_replace('/\A(.{64}).+\z/us', '$1...', $name),
        ) . '"';
        sort($known, SORT_STRING);
        $there = match (count($known)) {
            0 => 'there is no route',
            1 => 'there is only ',
            default => 'there are ',
        } . implode(', ', array_map($quoted, array_slice($known, 0, 20))) . (count($known) > 20 ? ' and ' . (count($known) - 20) . ' more' : '');

        return Caller::blame(new UnknownRouteException(self::function() . '(): no route is named ' . $quoted($name) . ": $there"));
    }

    /** @param array<string, string|null> $strings by the parameter's name */
    public static function unlessUtf8(array $strings): void
    {
        foreach ($strings as $name => $string) {
            if ($string !== null && preg_match('//u', $string) !== 1) {
                throw self::invalid($name === 'data'
                    ? '$data must be valid UTF-8 in a text message; pass binary: true to send other bytes'
                    : "\$$name must be valid UTF-8");
            }
        }
    }

    public static function unlessLength(string $name, string $string, int $max): void
    {
        if ($string === '' || strlen($string) > $max) {
            throw self::invalid("\$$name must have 1 to $max bytes, " . strlen($string) . ' given');
        }
    }

    public static function unlessClosable(int $code, string $reason): void
    {
        if (($code < 1000 || $code > 1003) && ($code < 1007 || $code > 1014) && ($code < 3000 || $code > 4999)) {
            throw self::invalid("\$code must be 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4), $code given");
        }
        if (strlen($reason) > 123) {
            throw self::invalid('$reason must have at most 123 bytes, ' . strlen($reason) . ' given');
        }
    }

    /** The frankenphp_ws function that was called. */
    private static function function(): string
    {
        foreach (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS) as $frame) {
            if (str_starts_with($frame['function'], 'frankenphp_ws_')) {
                return $frame['function'];
            }
        }

        return 'frankenphp_ws';
    }
}
