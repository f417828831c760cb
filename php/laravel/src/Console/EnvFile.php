<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Console;

/** The text of a .env file, of which one line at a time is changed. */
final class EnvFile
{
    public function __construct(private string $text)
    {
    }

    /** Null: there is no such line, or it sets nothing. */
    public function get(string $key): ?string
    {
        if (preg_match('/^' . preg_quote($key, '/') . '[ \t]*=[ \t]*(.*?)[ \t]*\r?$/m', $this->text, $match) !== 1) {
            return null;
        }
        // A comment behind a value is none of it; in quotes it is.
        $value = preg_match('/^(["\'])(.*?)\1[ \t]*(?:#.*)?$/', $match[1], $quoted) === 1 ? $quoted[2] : (string) preg_replace('/(?:^|[ \t]+)#.*$/', '', $match[1]);

        return $value === '' ? null : $value;
    }

    /** Changes the line of the key, or adds one at the end. */
    public function set(string $key, string $value): void
    {
        $line = "$key=" . (preg_match('/\A[\w.:\/@${}+=-]*\z/', $value) === 1 ? $value : '"' . addcslashes($value, '"\\$') . '"');
        $changed = preg_replace_callback('/^' . preg_quote($key, '/') . '[ \t]*=[^\r\n]*/m', static fn (): string => $line, $this->text, 1, $count);
        $this->text = $count === 1 ? (string) $changed : ($this->text === '' || str_ends_with($this->text, "\n") ? $this->text : "$this->text\n") . "$line\n";
    }

    public function text(): string
    {
        return $this->text;
    }
}
