<?php

declare(strict_types=1);

/* Runs the unit tests of the Composer package, in the files beside this one, with plain PHP. */

require __DIR__ . '/../../php/autoload.php';

error_reporting(E_ALL);
set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if ((error_reporting() & $level) === 0) {
        return false;
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});

final class Failure extends Exception
{
}

$tests = $failed = 0;

function test(string $sentence, Closure $body): void
{
    global $tests, $failed;
    $tests++;
    try {
        $body();
    } catch (Throwable $error) {
        $failed++;
        $at = $error;
        foreach ($error instanceof Failure ? $error->getTrace() : [] as $frame) {
            if (str_ends_with($frame['file'] ?? '', '_test.php')) {
                $at = $frame;
                break;
            }
        }
        [$file, $line] = is_array($at) ? [$at['file'], $at['line']] : [$at->getFile(), $at->getLine()];
        fwrite(STDERR, 'FAIL: ' . $sentence . "\n  " . $error::class . ': ' . $error->getMessage() . "\n  $file:$line\n");
    }
}

function same(mixed $want, mixed $got): void
{
    if ($want !== $got) {
        throw new Failure('got ' . var_export($got, true) . ', want ' . var_export($want, true));
    }
}

function throws(string $class, string $part, Closure $body): void
{
    try {
        $body();
    } catch (Throwable $error) {
        if (!$error instanceof $class || !str_contains($error->getMessage(), $part)) {
            throw new Failure('threw ' . $error::class . ': ' . $error->getMessage() . ", want $class: …{$part}…");
        }

        return;
    }
    throw new Failure("threw nothing, want $class");
}

foreach (glob(__DIR__ . '/*_test.php') as $file) {
    require $file;
}
fwrite(STDERR, "$tests unit tests of the PHP package, $failed failed\n");
exit($failed > 0 || $tests === 0 ? 1 : 0);
