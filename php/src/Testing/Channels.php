<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/**
 * Which tags are channels, by route and pattern.
 *
 * @internal
 */
final class Channels
{
    /** @param array<string, array<string, int>> $policies a number for each route and pattern; the first pattern that fits a tag counts */
    public function __construct(private readonly array $policies)
    {
    }

    /** @return array<string, int> the number for a tag, by route, of those routes on which it is a channel */
    public function of(string $tag, ?string $only = null): array
    {
        $found = [];
        foreach ($this->policies as $route => $patterns) {
            foreach ($only === null || $only === $route ? $patterns : [] as $pattern => $number) {
                $expression = '/\A' . str_replace('\*', '.*', preg_quote((string) $pattern, '/')) . '\z/s';
                if (preg_match($expression, $tag) === 1) {
                    $found[$route] = $number;
                    break;
                }
            }
        }

        return $found;
    }

    /** The route whose channel is meant. */
    public function only(string $tag, ?string $route, string $none, string $several): string
    {
        $routes = array_keys($this->of($tag, $route));

        return match (count($routes)) {
            0 => throw Refusal::invalid($none),
            1 => (string) $routes[0],
            default => throw Refusal::invalid($several),
        };
    }
}
