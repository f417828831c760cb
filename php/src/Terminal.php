<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * What clients say of themselves, for the terminal of an operator.
 *
 * @internal the console commands of the packages for frameworks use it
 */
final class Terminal
{
    /** Control characters, which move the cursor or change what the terminal shows, and marks that change the direction of writing, become �. */
    public static function text(string $text): string
    {
        return (string) preg_replace('/[\p{Cc}\x{202A}-\x{202E}\x{2066}-\x{2069}]/u', "\u{FFFD}", mb_scrub($text, 'UTF-8'));
    }
}
