<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * A choice of clients to send to, to count, to close or to go through: all, those with a tag, those whose tags fit an expression, or those
 * of a user.
 *
 *     Clients::all()->send('for everybody');
 *     Clients::tagged('lobby')->except($connection)->send($data);
 *     Clients::matching('(premium|vip)&!banned')->on('chat')->count();
 *     Clients::matching('room_?&!muted', $room)->send($data);
 *
 * It is a question, not a list: each method asks the server anew. Objects never change, so they may be kept and shared.
 *
 * @implements \IteratorAggregate<int, Client>
 */
final class Clients implements \Countable, \IteratorAggregate
{
    private function __construct(
        private readonly ?string $tag = null,
        private readonly ?string $expression = null,
        private readonly ?string $route = null,
        private readonly ?string $except = null,
        private readonly ?string $user = null,
    ) {
    }

    /** Everyone who is connected. */
    public static function all(): self
    {
        return new self();
    }

    /** @param string $tag 1 to 255 bytes of UTF-8 */
    public static function tagged(string $tag): self
    {
        return new self(tag: $tag);
    }

    /** @param string $user 1 to 255 bytes of UTF-8: see Client::setUser() */
    public static function ofUser(string $user): self
    {
        return new self(user: $user);
    }

    /**
     * With tags, each `?` in the expression stands for one of them, or for a part of a name: `room_?&!?`. Whatever they have in them, they
     * mean nothing but themselves. Whatever comes from a user belongs there, and never into the expression.
     *
     * @param string $expression as in `(premium|vip)&!banned&group_*`: see frankenphp_ws_getClientsByTagExpression()
     * @param string ...$tags    at most 255 bytes of UTF-8 each, as many as there are `?`; none: a `?` is a character like others
     *
     * @throws \ArgumentCountError      when there are not as many tags as `?`
     * @throws InvalidArgumentException when a tag is too long or not UTF-8
     */
    public static function matching(string $expression, string ...$tags): self
    {
        return new self(expression: $tags === [] ? $expression : self::fill($expression, array_values($tags)));
    }

    /** Of them, those on one route. */
    public function on(string $route): self
    {
        return new self($this->tag, $this->expression, $route, $this->except, $this->user);
    }

    /** Of them, all but one, typically the one whose message is passed on. A second time replaces the first. */
    public function except(Client|string $client): self
    {
        return new self($this->tag, $this->expression, $this->route, $client instanceof Client ? $client->id : $client, $this->user);
    }

    /**
     * Sends a text message to each.
     *
     * @return int for how many it was queued
     *
     * @throws InvalidArgumentException when $data is not UTF-8, or the tag or expression is not allowed
     */
    public function send(string $data): int
    {
        return $this->queue($data, false);
    }

    /**
     * Sends a value as a text message of JSON to each. Nobody is sent anything when it cannot be encoded.
     *
     * @param int $flags of json_encode(), beside JSON_THROW_ON_ERROR, JSON_UNESCAPED_UNICODE and JSON_UNESCAPED_SLASHES
     *
     * @return int for how many it was queued
     *
     * @throws \JsonException          when $value cannot be encoded
     * @throws InvalidArgumentException when the tag or expression is not allowed
     */
    public function sendJson(mixed $value, int $flags = 0): int
    {
        return $this->queue(Json::encode($value, $flags), false);
    }

    /**
     * Sends a binary message to each.
     *
     * @return int for how many it was queued
     *
     * @throws InvalidArgumentException when the tag or expression is not allowed
     */
    public function sendBinary(string $data): int
    {
        return $this->queue($data, true);
    }

    /**
     * Starts the closing handshake with each. onClose follows for each when it is over.
     *
     * @param int    $code   1000 to 1003, 1007 to 1014, or 3000 to 4999
     * @param string $reason at most 123 bytes of UTF-8
     *
     * @return int how many
     *
     * @throws InvalidArgumentException when the code or the reason cannot be sent, or the tag, the expression or the user is not allowed
     */
    public function close(int $code = 1000, string $reason = ''): int
    {
        if ($this->user !== null && $this->except === null) {
            return \frankenphp_ws_disconnectUser($this->user, $code, $reason, $this->route);
        }

        return count(array_filter($this->ids(), static fn (string $id): bool => \frankenphp_ws_close($id, $code, $reason)));
    }

    /**
     * @return list<string>
     *
     * @throws InvalidArgumentException when the tag or expression is not allowed
     */
    public function ids(): array
    {
        $ids = match (true) {
            $this->tag !== null => \frankenphp_ws_getClientsByTag($this->tag),
            $this->expression !== null => \frankenphp_ws_getClientsByTagExpression($this->expression),
            $this->user !== null => \frankenphp_ws_getClientsByUser($this->user, $this->route),
            default => \frankenphp_ws_getClients($this->route),
        };
        if ($this->route !== null && ($this->tag ?? $this->expression) !== null) {
            $ids = array_intersect($ids, \frankenphp_ws_getClients($this->route));
        }

        return array_values($this->except === null ? $ids : array_diff($ids, [$this->except]));
    }

    /** @throws InvalidArgumentException when the tag or expression is not allowed */
    public function count(): int
    {
        return match (true) {
            $this->except !== null => count($this->ids()),
            $this->tag !== null && $this->route === null => \frankenphp_ws_getTagCount($this->tag),
            ($this->tag ?? $this->expression ?? $this->user) === null => \frankenphp_ws_getClientsCount($this->route),
            default => count($this->ids()),
        };
    }

    public function getIterator(): \Iterator
    {
        foreach ($this->ids() as $id) {
            yield new Client($id);
        }
    }

    /** @param list<string> $tags */
    private static function fill(string $expression, array $tags): string
    {
        $used = 0;
        // What is in quotes is passed over, also where the closing one is missing: that is an error of the expression.
        $filled = preg_replace_callback('/"(?:[^"\\\\]++|\\\\.)*+"?|\?/s', static function (array $match) use ($tags, &$used): string {
            return $match[0] === '?' ? \frankenphp_ws_quoteTag($tags[$used++] ?? '') : $match[0];
        }, $expression);
        if ($used !== count($tags)) {
            throw new \ArgumentCountError(sprintf('%s::matching(): the expression has %d placeholders (?), and %d tags are given', self::class, $used, count($tags)));
        }

        return (string) $filled;
    }

    private function queue(string $data, bool $binary): int
    {
        return match (true) {
            $this->tag !== null => \frankenphp_ws_sendToTag($this->tag, $data, $this->route, $binary, $this->except),
            $this->user !== null => \frankenphp_ws_sendToUser($this->user, $data, $this->route, $binary, $this->except),
            $this->expression !== null => \frankenphp_ws_sendToTagExpression($this->expression, $data, $this->route, $binary, $this->except),
            default => \frankenphp_ws_sendAll($data, $this->route, $binary, $this->except),
        };
    }
}
