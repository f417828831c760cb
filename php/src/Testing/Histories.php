<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/**
 * What was sent to tags of which the routes of the fake server keep a history. Messages do not expire here.
 *
 * @internal
 */
final class Histories
{
    /** @var array<string, array{epoch: string, last: int, messages: list<array{position: string, offset: int, time: float, data: string, binary: bool}>}> by route and tag */
    private array $channels = [];

    private readonly Channels $routes;

    /** @param array<string, array<string, positive-int>> $policies how many messages are kept, by route and pattern */
    public function __construct(array $policies)
    {
        $this->routes = new Channels($policies);
    }

    /** Records a message to a tag on each route that keeps a history of it, if it is meant for clients of that route. */
    public function record(string $tag, string $data, bool $binary, ?string $route, float $time): void
    {
        foreach ($this->routes->of($tag, $route) as $name => $count) {
            $channel = &$this->channel($name, $tag);
            $offset = ++$channel['last'];
            $position = self::position($channel['epoch'], $offset);
            $channel['messages'][] = ['position' => $position, 'offset' => $offset, 'time' => $time, 'data' => $data, 'binary' => $binary];
            $channel['messages'] = array_slice($channel['messages'], -$count);
        }
    }

    /** @return array{position: string, complete: bool, messages: list<array{position: string, offset: int, time: float, data: string, binary: bool}>} */
    public function read(string $tag, int $limit, ?string $since, ?string $route): array
    {
        $known = $this->channels[$this->key($this->only($tag, $route), $tag)] ?? null;
        $since = $since === null ? null : self::parse($since);
        if ($known === null) {
            return ['position' => self::position(str_repeat('0', 16), 0), 'complete' => $since === null || $since[1] === 0, 'messages' => []];
        }
        ['epoch' => $epoch, 'last' => $last, 'messages' => $messages] = $known;
        $gone = ($messages[0]['offset'] ?? $last + 1) - 1;
        [$after, $complete] = match (true) {
            $since === null => [$gone, $gone === 0 && ($limit === 0 || count($messages) <= $limit)],
            $since === [str_repeat('0', 16), 0] => [$gone, $gone === 0],
            $since[0] === $epoch && $since[1] <= $last => [max($since[1], $gone), $since[1] >= $gone],
            default => [$gone, false],
        };
        $messages = array_slice($messages, $after - $gone);
        $limit = $limit === 0 ? PHP_INT_MAX : $limit;

        return [
            'position' => self::position($epoch, $last),
            'complete' => $complete,
            'messages' => $since === null ? array_slice($messages, -$limit) : array_slice($messages, 0, $limit),
        ];
    }

    public function clear(string $tag, ?string $route): bool
    {
        $key = $this->key($this->only($tag, $route), $tag);
        $had = ($this->channels[$key]['messages'] ?? []) !== [];
        if ($had) {
            $this->channels[$key]['messages'] = [];
        }

        return $had;
    }

    /** @return array{string, int} epoch and offset */
    public static function parse(string $since): array
    {
        if ($since === '') {
            return [str_repeat('0', 16), 0];
        }
        if (preg_match('/\A([0-9a-fA-F]{16}):([0-9]{1,19})\z/', $since, $match) !== 1) {
            throw Refusal::invalid("\$since must be a position that frankenphp_ws_history() has given, or empty, \"$since\" given");
        }

        return [strtolower($match[1]), (int) $match[2]];
    }

    /** The route whose history is meant. */
    public function only(string $tag, ?string $route): string
    {
        return $this->routes->only(
            $tag,
            $route,
            'no history is kept of this tag: a line `history COUNT AGE` in a block `channel PATTERN` of its route\'s websocket directive does that',
            'several routes keep a history of this tag: name the route',
        );
    }

    /** @return array{epoch: string, last: int, messages: list<array{position: string, offset: int, time: float, data: string, binary: bool}>} */
    private function &channel(string $route, string $tag): array
    {
        $key = $this->key($route, $tag);
        $this->channels[$key] ??= ['epoch' => bin2hex(random_bytes(8)), 'last' => 0, 'messages' => []];

        return $this->channels[$key];
    }

    private function key(string $route, string $tag): string
    {
        return "$route\0$tag";
    }

    private static function position(string $epoch, int $offset): string
    {
        return "$epoch:$offset";
    }
}
