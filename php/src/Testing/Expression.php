<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/**
 * A tag expression, read by the grammar of the server and with its limits and errors, but evaluated client by client.
 *
 * @internal
 */
final class Expression
{
    private const MAX_LENGTH = 4096;
    private const MAX_DEPTH = 64;
    private const MAX_WILDCARDS = 64;
    private const MAX_NAME = 255;

    /** Unicode's white space. */
    private const SPACE = '\x{09}-\x{0D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}';

    private int $at = 0;
    private int $wildcards = 0;

    /** @var \Closure(array<string, true>): bool */
    private \Closure $fits;

    public function __construct(private readonly string $text)
    {
        Refusal::unlessUtf8(['expression' => $text]);
        if (strlen($text) > self::MAX_LENGTH) {
            throw $this->stuck(self::MAX_LENGTH, 'at most ' . self::MAX_LENGTH . ' bytes');
        }
        $this->space();
        $this->fits = $this->any(0);
        if ($this->at < strlen($text)) {
            throw $this->stuck($this->at, "'&', '|' or the end");
        }
    }

    /** @param list<string> $tags of one client */
    public function fits(array $tags): bool
    {
        return ($this->fits)(array_fill_keys($tags, true));
    }

    private function any(int $depth): \Closure
    {
        $nodes = [$this->all($depth)];
        while ($this->take('/\G\|\|?/') !== null) {
            $this->space();
            $nodes[] = $this->all($depth);
        }

        return static function (array $tags) use ($nodes): bool {
            foreach ($nodes as $node) {
                if ($node($tags)) {
                    return true;
                }
            }

            return false;
        };
    }

    private function all(int $depth): \Closure
    {
        $nodes = [$this->operand($depth)];
        while ($this->take('/\G&&?/') !== null) {
            $this->space();
            $nodes[] = $this->operand($depth);
        }

        return static function (array $tags) use ($nodes): bool {
            foreach ($nodes as $node) {
                if (!$node($tags)) {
                    return false;
                }
            }

            return true;
        };
    }

    private function operand(int $depth): \Closure
    {
        $negated = false;
        while ($this->take('/\G!/') !== null) {
            $this->space();
            $negated = !$negated;
        }
        $node = $this->group($depth) ?? $this->quoted() ?? $this->name() ?? throw $this->stuck($this->at, "a tag, '!' or '('");
        $this->space();

        return $negated ? static fn (array $tags): bool => !$node($tags) : $node;
    }

    private function group(int $depth): ?\Closure
    {
        $start = $this->at;
        if ($this->take('/\G\(/') === null) {
            return null;
        }
        $this->space();
        if ($depth === self::MAX_DEPTH) {
            throw $this->stuck($start, 'at most ' . self::MAX_DEPTH . ' nested parentheses');
        }
        $node = $this->any($depth + 1);
        if ($this->take('/\G\)/') === null) {
            throw $this->stuck($this->at, "'&', '|' or ')'");
        }

        return $node;
    }

    private function quoted(): ?\Closure
    {
        $start = $this->at;
        if ($this->take('/\G"/') === null) {
            return null;
        }
        $name = '';
        while (($piece = $this->take('/\G(?:[^"\\\\]+|\\\\)/')) !== null) {
            $name .= $piece === '\\'
                ? $this->take('/\G["\\\\]/') ?? throw $this->stuck($this->at, "'\"' or '\\' after '\\'")
                : $piece;
        }
        if ($this->take('/\G"/') === null) {
            throw $this->stuck($this->at, "a closing '\"'");
        }
        if ($name === '' || strlen($name) > self::MAX_NAME) {
            throw $this->impossibleName($start);
        }

        return static fn (array $tags): bool => isset($tags[$name]);
    }

    private function name(): ?\Closure
    {
        $start = $this->at;
        $name = $this->take('/\G[^' . self::SPACE . '()&|!"]+/u');
        if ($name === null) {
            return null;
        }
        if (strlen(str_replace('*', '', $name)) > self::MAX_NAME) {
            throw $this->impossibleName($start);
        }
        if (!str_contains($name, '*')) {
            return static fn (array $tags): bool => isset($tags[$name]);
        }
        if (++$this->wildcards > self::MAX_WILDCARDS) {
            throw $this->stuck($start, 'at most ' . self::MAX_WILDCARDS . " names with '*'");
        }
        $pattern = '/\A' . implode('.*', array_map(static fn (string $piece): string => preg_quote($piece, '/'), explode('*', $name))) . '\z/s';

        return static fn (array $tags): bool => preg_grep($pattern, array_map(strval(...), array_keys($tags))) !== [];
    }

    private function space(): void
    {
        $this->take('/\G[' . self::SPACE . ']*/u');
    }

    private function take(string $pattern): ?string
    {
        if (preg_match($pattern, $this->text, $match, 0, $this->at) !== 1) {
            return null;
        }
        $this->at += strlen($match[0]);

        return $match[0];
    }

    private function impossibleName(int $at): \Throwable
    {
        return $this->stuck($at, 'a tag of 1 to ' . self::MAX_NAME . ' bytes');
    }

    private function stuck(int $at, string $expected): \Throwable
    {
        return Refusal::invalid("\$expression: tag expression, byte $at: expected $expected");
    }
}
