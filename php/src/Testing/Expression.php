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
        $node = $this->group($depth) ?? $this->name() ?? throw $this->stuck($this->at, "a tag, '!' or '('");
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

    /** Pieces side by side are one name; a star is one only outside of quotes. */
    private function name(): ?\Closure
    {
        $start = $this->at;
        $texts = [''];
        while (($texts = $this->quoted($texts) ?? $this->bare($texts)) !== null) {
            $read = $texts;
        }
        if (!isset($read)) {
            return null;
        }
        $length = strlen(implode('', $read));
        if ($length > self::MAX_NAME || $read === ['']) {
            throw $this->stuck($start, 'a tag of 1 to ' . self::MAX_NAME . ' bytes');
        }
        if (count($read) === 1) {
            return static fn (array $tags): bool => isset($tags[$read[0]]);
        }
        if (++$this->wildcards > self::MAX_WILDCARDS) {
            throw $this->stuck($start, 'at most ' . self::MAX_WILDCARDS . " names with '*'");
        }
        $pattern = '/\A' . implode('.*', array_map(static fn (string $text): string => preg_quote($text, '/'), $read)) . '\z/s';

        return static fn (array $tags): bool => preg_grep($pattern, array_map(strval(...), array_keys($tags))) !== [];
    }

    /**
     * @param non-empty-list<string> $texts what stands between the stars so far
     *
     * @return non-empty-list<string>|null
     */
    private function quoted(array $texts): ?array
    {
        if ($this->take('/\G"/') === null) {
            return null;
        }
        $text = '';
        while (($run = $this->take('/\G(?:[^"\\\\]+|\\\\)/')) !== null) {
            $text .= $run === '\\'
                ? $this->take('/\G["\\\\]/') ?? throw $this->stuck($this->at, "'\"' or '\\' after '\\'")
                : $run;
        }
        if ($this->take('/\G"/') === null) {
            throw $this->stuck($this->at, "a closing '\"'");
        }
        $texts[count($texts) - 1] .= $text;

        return $texts;
    }

    /**
     * @param non-empty-list<string> $texts
     *
     * @return non-empty-list<string>|null
     */
    private function bare(array $texts): ?array
    {
        $piece = $this->take('/\G[^' . self::SPACE . '()&|!"]+/u');
        if ($piece === null) {
            return null;
        }
        $more = explode('*', $piece);
        $texts[count($texts) - 1] .= array_shift($more);

        return [...$texts, ...$more];
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

    private function stuck(int $at, string $expected): \Throwable
    {
        return Refusal::invalid("\$expression: tag expression, byte $at: expected $expected");
    }
}
