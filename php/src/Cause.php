<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * What went wrong, as a text for the log: class, message, place and the first frames of the trace, without the values of arguments,
 * which may be secrets or messages of clients.
 *
 * @internal
 */
final class Cause
{
    private const MAX_MESSAGE = 2048;
    private const MAX_FRAMES = 10;
    private const MAX_PREVIOUS = 3;

    public static function of(\Throwable $error): string
    {
        $text = self::one($error);
        for ($i = 0; $i < self::MAX_PREVIOUS && ($error = $error->getPrevious()) !== null; $i++) {
            $text .= "\ncaused by " . self::one($error);
        }

        return $text;
    }

    private static function one(\Throwable $error): string
    {
        $message = $error->getMessage();
        if (strlen($message) > self::MAX_MESSAGE) {
            $message = substr($message, 0, self::MAX_MESSAGE) . '… (' . strlen($message) . ' bytes)';
        }
        $lines = [sprintf('%s: %s in %s:%d', self::name($error::class), $message, $error->getFile(), $error->getLine())];
        $frames = $error->getTrace();
        foreach (array_slice($frames, 0, self::MAX_FRAMES) as $i => $frame) {
            $lines[] = "#$i " . (isset($frame['file'], $frame['line']) ? "{$frame['file']}({$frame['line']})" : '[internal function]')
                . ': ' . self::name($frame['class'] ?? '') . ($frame['type'] ?? '') . $frame['function'] . '()';
        }
        if (count($frames) > self::MAX_FRAMES) {
            $lines[] = '… ' . (count($frames) - self::MAX_FRAMES) . ' more';
        }

        return implode("\n", $lines);
    }

    /** The name of an anonymous class ends with a NUL and its file. */
    private static function name(string $class): string
    {
        return explode("\0", $class, 2)[0];
    }
}
