<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * Where a mistake was made: in the code that has called the package, not in the package.
 *
 * @internal
 */
final class Caller
{
    /**
     * Makes an error that the package is about to throw point at the line that has called the package.
     *
     * @template T of \Throwable
     *
     * @param T $error
     *
     * @return T
     */
    public static function blame(\Throwable $error): \Throwable
    {
        foreach ($error->getTrace() as $frame) {
            if (isset($frame['file'], $frame['line']) && !self::isOurs($frame['file'])) {
                $class = $error instanceof \Error ? \Error::class : \Exception::class;
                (new \ReflectionProperty($class, 'file'))->setValue($error, $frame['file']);
                (new \ReflectionProperty($class, 'line'))->setValue($error, $frame['line']);
                break;
            }
        }

        return $error;
    }

    /**
     * The same for an error that may be anybody's: PHP's own, when the package is called with an argument of a wrong type, points into
     * the package.
     */
    public static function blameIfOurs(\Throwable $error): void
    {
        if (self::isOurs($error->getFile())) {
            self::blame($error);
        }
    }

    private static function isOurs(string $file): bool
    {
        return str_starts_with($file, __DIR__ . DIRECTORY_SEPARATOR)
            || str_starts_with($file, dirname(__DIR__) . DIRECTORY_SEPARATOR . 'fake' . DIRECTORY_SEPARATOR);
    }
}
