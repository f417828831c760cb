<?php

declare(strict_types=1);

require_once __DIR__ . '/batch.php';

/**
 * Calls a function as {"call": name, "args": […]} asks, and answers with {"value": …} or {"exception": class, "message": …}.
 * JSON carries no arbitrary bytes: strings that start with "base64:" are decoded, and those that need it are encoded.
 */
function call(string $request): string
{
    ['call' => $function, 'args' => $arguments] = json_decode($request, true, 8, JSON_THROW_ON_ERROR);
    array_walk_recursive($arguments, static function (mixed &$value): void {
        if (is_string($value) && str_starts_with($value, 'base64:')) {
            $value = base64_decode(substr($value, 7));
        }
    });
    try {
        $answer = ['value' => $function(...$arguments)];
    } catch (Throwable $error) {
        $answer = ['exception' => $error::class, 'message' => $error->getMessage()];
    }
    array_walk_recursive($answer, static function (mixed &$value): void {
        if (is_string($value) && preg_match('//u', $value) !== 1) {
            $value = 'base64:' . base64_encode($value);
        }
    });

    return json_encode($answer, JSON_THROW_ON_ERROR);
}
