<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Console;

/** The text of a .env file, of which one line at a time is changed. */
final class EnvFile
{
    public function __construct(private string $text)
    {
    }

    /** Null: there is no such line, or it sets nothing. Of several lines the last one counts, as for Laravel. */
    public function get(string $key): ?string
    {
        if (preg_match_all(self::line($key) . '[ \t]*(.*?)[ \t]*\r?$/m', $this->text, $matches) === 0) {
            return null;
        }
        $text = end($matches[2]);
        // A comment behind a value is none of it; in quotes it is.
        $value = preg_match('/^(["\'])(.*?)\1[ \t]*(?:#.*)?$/', $text, $quoted) === 1 ? $quoted[2] : (string) preg_replace('/[ \t]*#.*$/', '', $text);

        return $value === '' ? null : $value;
    }

    /** Changes the line of the key that counts, or adds one at the end. */
    public function set(string $key, string $value): void
    {
        $line = "$key=" . (preg_match('/\A[\w.:\/@${}+=-]*\z/', $value) === 1 ? $value : '"' . addcslashes($value, '"\\$') . '"');
        if (preg_match_all(self::line($key) . '[^\r\n]*/m', $this->text, $matches, PREG_SET_ORDER | PREG_OFFSET_CAPTURE) > 0) {
            [[$old, $at], [$before]] = end($matches);
            $this->text = substr_replace($this->text, $before . $line, $at, strlen($old));

            return;
        }
        $end = str_contains($this->text, "\r\n") ? "\r\n" : "\n";
        $this->text .= ($this->text === '' || str_ends_with($this->text, "\n") ? '' : $end) . $line . $end;
    }

    public function text(): string
    {
        return $this->text;
    }

    /** The beginning of a pattern of a line. Laravel takes space and `export` before the key. */
    private static function line(string $key): string
    {
        return '/^([ \t]*(?:export[ \t]+)?)' . preg_quote($key, '/') . '[ \t]*=';
    }
}
