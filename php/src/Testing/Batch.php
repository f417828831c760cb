<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

use FrankenPHP\WebSocket\Caller;
use FrankenPHP\WebSocket\Exception;

/**
 * What frankenphp_ws_batch() collects: the results of the functions that change or send, and the first failure among them.
 *
 * @internal
 */
final class Batch
{
    private static ?self $running = null;

    /** @var list<bool|int|null> */
    private array $results = [];

    private int $failures = 0;

    private ?Exception $first = null;

    private int $position = 0;

    /** @return list<bool|int|null> */
    public static function run(callable $calls): array
    {
        if (self::$running !== null) {
            throw Refusal::full('a batch cannot begin within another one: call the functions directly there');
        }
        self::$running = $batch = new self();
        try {
            $calls();
        } finally {
            self::$running = null;
        }
        if ($batch->first === null) {
            return $batch->results;
        }
        $others = $batch->failures === 1 ? 'all others were carried out' : ($batch->failures - 1) . ' more failed, and all others were carried out';
        $why = explode('(): ', $batch->first->getMessage(), 2)[1] ?? $batch->first->getMessage();

        throw Caller::blame(new ($batch->first::class)("frankenphp_ws_batch(): call $batch->position of " . count($batch->results) . " in the batch: $why ($others)"));
    }

    /**
     * Carries out a function that changes or sends; in a batch its failure waits until the end.
     *
     * @param \Closure(): (bool|int|null|void) $function
     * @param bool|int|null                    $placeholder what a call that failed in a batch returns
     */
    public static function call(\Closure $function, bool|int|null $placeholder = null): bool|int|null
    {
        $batch = self::$running;
        if ($batch === null) {
            return $function();
        }
        try {
            return $batch->results[] = $function();
        } catch (Exception $error) {
            $batch->results[] = null;
            if (++$batch->failures === 1) {
                [$batch->first, $batch->position] = [$error, count($batch->results)];
            }

            return $placeholder;
        }
    }
}
