<?php

declare(strict_types=1);

/* How many calls a second the command line makes: one by one, and in a batch. */

$rate = static function (int $calls, callable $do): int {
    $since = hrtime(true);
    $do($calls);

    return (int) ($calls / ((hrtime(true) - $since) / 1e9));
};
$count = static function (int $calls): void {
    for ($i = 0; $i < $calls; $i++) {
        frankenphp_ws_global_increment('calls');
    }
};

$count(100);
echo json_encode([
    'single' => $rate(20_000, $count),
    'batch' => $rate(200_000, static fn (int $calls): array => frankenphp_ws_batch(static fn () => $count($calls))),
    'memory' => memory_get_peak_usage(),
    'calls' => frankenphp_ws_global_get('calls'),
], JSON_THROW_ON_ERROR);
