<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/**
 * Who is in which channel of the fake server.
 *
 * @internal
 */
final class Presence
{
    private readonly Channels $channels;

    /** @var array<string, array<array-key, array{user: string, info: string, connections: int, leaves: int|null}>> by route and tag, and user */
    private array $members = [];

    /**
     * @param array<string, array<string, int>>   $graces milliseconds of grace, by route and pattern
     * @param \Closure(array<string, mixed>): void $tell   is given events
     * @param \Closure(): int                      $now    milliseconds
     */
    public function __construct(array $graces, private readonly \Closure $tell, private readonly \Closure $now)
    {
        $this->channels = new Channels($graces);
    }

    /** A live client has a tag. */
    public function joins(FakeClient $client, string $tag): void
    {
        if ($client->user === null || !isset($this->channels->of($tag, $client->route)[$client->route])) {
            return;
        }
        [$user, $info] = $client->user;
        $key = "$client->route\0$tag";
        $known = $this->members[$key][$user] ?? null;
        $this->members[$key][$user] = ['user' => $user, 'info' => $info, 'connections' => ($known['connections'] ?? 0) + 1, 'leaves' => null];
        if ($known === null) {
            $this->tell('join', $client->route, $tag, $user, $info);
        }
    }

    /** A client that had a tag has it no more: because its connection has ended, or else by somebody's will. */
    public function parts(FakeClient $client, string $tag, bool $ended): void
    {
        $grace = $this->channels->of($tag, $client->route)[$client->route] ?? null;
        if ($client->user === null || $grace === null) {
            return;
        }
        $member = &$this->members["$client->route\0$tag"][$client->user[0]];
        $member['connections']--;
        if ($member['connections'] > 0) {
            return;
        }
        if ($ended && $grace > 0) {
            $member['leaves'] = ($this->now)() + $grace;
        } else {
            $this->leave($client->route, $tag, $client->user[0]);
        }
    }

    /** A live client is another user's, or nobody's. */
    public function changesUser(FakeClient $client, ?string $user, string $info): void
    {
        $same = $client->user !== null && $client->user[0] === $user;
        foreach ($same ? [] : $client->tags as $tag) {
            $this->parts($client, $tag, false);
        }
        $client->user = $user === null ? null : [$user, $info];
        foreach ($client->tags as $tag) {
            if (!$same) {
                $this->joins($client, $tag);
            } elseif (isset($this->members["$client->route\0$tag"][$user])) {
                $this->members["$client->route\0$tag"][$user]['info'] = $info;
            }
        }
    }

    /** When the next user leaves because the time of grace is over. */
    public function due(): ?int
    {
        $times = [];
        foreach ($this->members as $members) {
            array_push($times, ...array_values(array_filter(array_column($members, 'leaves'), is_int(...))));
        }

        return $times === [] ? null : min($times);
    }

    /** Has users leave whose time of grace is over. */
    public function endGrace(int $now): void
    {
        foreach ($this->members as $key => $members) {
            foreach ($members as $member) {
                if ($member['leaves'] !== null && $member['leaves'] <= $now) {
                    [$route, $tag] = explode("\0", $key, 2);
                    $this->leave($route, $tag, $member['user']);
                }
            }
        }
    }

    /** @return list<array{user: string, info: string, connections: int}> */
    public function read(string $tag, ?string $route): array
    {
        $only = $this->channels->only(
            $tag,
            $route,
            'it is not known who has this tag: a line `presence` in a block `channel PATTERN` of its route\'s websocket directive does that',
            'several routes have presence for this tag: name the route',
        );
        $members = $this->members["$only\0$tag"] ?? [];
        ksort($members, SORT_STRING);

        return array_map(
            static fn (array $member): array => ['user' => $member['user'], 'info' => $member['info'], 'connections' => $member['connections']],
            array_values($members),
        );
    }

    private function leave(string $route, string $tag, string $user): void
    {
        $info = $this->members["$route\0$tag"][$user]['info'];
        unset($this->members["$route\0$tag"][$user]);
        $this->tell('leave', $route, $tag, $user, $info);
    }

    private function tell(string $type, string $route, string $tag, string $user, string $info): void
    {
        ($this->tell)(['type' => $type, 'route' => $route, 'tag' => $tag, 'user' => $user, 'info' => $info]);
    }
}
