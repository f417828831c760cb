<?php

declare(strict_types=1);

namespace Tests\Symfony;

use Psr\Log\AbstractLogger;

final class Log extends AbstractLogger
{
    /** @var list<string> */
    public array $records = [];

    public function log($level, string|\Stringable $message, array $context = []): void
    {
        $this->records[] = strtr((string) $message, array_combine(
            array_map(static fn (string|int $key): string => '{' . $key . '}', array_keys($context)),
            array_map(static fn (mixed $value): string => is_scalar($value) ? (string) $value : get_debug_type($value), $context),
        ));
    }
}
