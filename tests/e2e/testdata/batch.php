<?php

declare(strict_types=1);

/**
 * For call(): calls functions in a batch, each given as [name, argument, …], and answers with what each returned, and what the batch did.
 *
 * @param list<list<mixed>> $calls
 * @return array{returned: list<mixed>, results: list<mixed>}
 */
function batch(array $calls): array
{
    $returned = [];
    $results = frankenphp_ws_batch(function () use ($calls, &$returned): void {
        foreach ($calls as [$function, $arguments]) {
            $returned[] = $function(...$arguments);
        }
    });

    return ['returned' => $returned, 'results' => $results];
}
