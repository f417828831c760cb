<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

use FrankenPHP\WebSocket\Caller;

/**
 * Who is connected to the fake server, with tags and stored information.
 *
 * As in the server, a client is live until its connection ends, and known, with tags and stored information, until its close event
 * has been handled.
 *
 * @internal
 */
final class Registry
{
    private const MAX_NAME = 255;
    private const MAX_TAGS = 4096;
    private const MAX_USER_INFO = 4096;

    /** @var array<array-key, FakeClient> known ones, by id */
    private array $clients = [];

    public function __construct(private readonly Presence $presence)
    {
    }

    public function enter(FakeClient $client): void
    {
        if (isset($this->clients[$client->id])) {
            throw Caller::blame(new \LogicException("the id $client->id is taken"));
        }
        $this->clients[$client->id] = $client;
    }

    public function forget(FakeClient $client): void
    {
        unset($this->clients[$client->id]);
    }

    /** @return list<FakeClient> */
    public function live(?string $route = null): array
    {
        return $this->select(static fn (FakeClient $client): bool => $route === null || $client->route === $route);
    }

    /** @return list<FakeClient> */
    public function tagged(string $tag): array
    {
        $this->checkTag($tag);

        return $this->select(static fn (FakeClient $client): bool => in_array($tag, $client->tags, true));
    }

    /** @return list<FakeClient> */
    public function matching(string $expression): array
    {
        $read = new Expression($expression);

        return $this->select(static fn (FakeClient $client): bool => $read->fits($client->tags));
    }

    public function find(string $id): ?FakeClient
    {
        return $this->clients[$id] ?? null;
    }

    /** Live or closed; null: gone, or never there. */
    public function known(string $id): ?FakeClient
    {
        Refusal::unlessUtf8(['id' => $id]);

        return $this->find($id);
    }

    public function connected(string $id): ?FakeClient
    {
        $client = $this->known($id);

        return $client?->live === true ? $client : null;
    }

    public function rename(string $id, string $newId): bool
    {
        Refusal::unlessUtf8(['id' => $id, 'newId' => $newId]);
        Refusal::unlessLength('newId', $newId, self::MAX_NAME);
        $client = $this->connected($id);
        if ($client === null || isset($this->clients[$newId])) {
            return false;
        }
        unset($this->clients[$id]);
        $client->id = $newId;
        $this->clients[$newId] = $client;

        return true;
    }

    /** @return bool false: the client is gone */
    public function tag(string $id, string $tag): bool
    {
        Refusal::unlessUtf8(['id' => $id]);
        $this->checkTag($tag);
        $client = $this->connected($id);
        if ($client === null || in_array($tag, $client->tags, true)) {
            return $client !== null;
        }
        if (count($client->tags) >= self::MAX_TAGS) {
            throw Refusal::invalid("the client \"$id\" has as many tags as a client may have");
        }
        $client->tags[] = $tag;
        sort($client->tags, SORT_STRING);
        $this->presence->joins($client, $tag);

        return true;
    }

    /** @return bool false: the client is gone */
    public function untag(string $id, string $tag): bool
    {
        Refusal::unlessUtf8(['id' => $id]);
        $this->checkTag($tag);
        $client = $this->known($id);
        if ($client !== null && in_array($tag, $client->tags, true)) {
            $client->tags = array_values(array_diff($client->tags, [$tag]));
            if ($client->live) {
                $this->presence->parts($client, $tag, false);
            }
        }

        return $client !== null;
    }

    /** @return bool false: the client is gone */
    public function clearTags(string $id): bool
    {
        $client = $this->known($id);
        if ($client !== null) {
            [$tags, $client->tags] = [$client->tags, []];
            foreach ($client->live ? $tags : [] as $tag) {
                $this->presence->parts($client, $tag, false);
            }
        }

        return $client !== null;
    }

    /** @return bool false: the client is gone */
    public function setUser(string $id, ?string $user, string $info): bool
    {
        Refusal::unlessUtf8(['id' => $id, 'user' => $user]);
        if ($user !== null) {
            Refusal::unlessLength('user', $user, self::MAX_NAME);
        }
        if (strlen($info) > self::MAX_USER_INFO) {
            throw Refusal::invalid('$info must have at most ' . self::MAX_USER_INFO . ' bytes, ' . strlen($info) . ' given');
        }
        $client = $this->connected($id);
        if ($client !== null) {
            $this->presence->changesUser($client, $user, $info);
        }

        return $client !== null;
    }

    /** @return list<FakeClient> */
    public function ofUser(string $user): array
    {
        Refusal::unlessUtf8(['user' => $user]);
        Refusal::unlessLength('user', $user, self::MAX_NAME);

        return $this->select(static fn (FakeClient $client): bool => $client->user !== null && $client->user[0] === $user);
    }

    /** A client is listed, counted and sent to no more. */
    public function unlist(FakeClient $client): void
    {
        [$live, $client->live] = [$client->live, false];
        foreach ($live ? $client->tags : [] as $tag) {
            $this->presence->parts($client, $tag, true);
        }
    }

    /** @return list<string> in use by live clients */
    public function tags(): array
    {
        $tags = array_keys(array_fill_keys(array_merge(...array_column($this->live(), 'tags')), true));
        $tags = array_map(strval(...), $tags);
        sort($tags, SORT_STRING);

        return $tags;
    }

    /**
     * @param \Closure(FakeClient): bool $fits
     *
     * @return list<FakeClient>
     */
    public function select(\Closure $fits): array
    {
        return array_values(array_filter($this->clients, static fn (FakeClient $client): bool => $client->live && $fits($client)));
    }

    private function checkTag(string $tag): void
    {
        Refusal::unlessUtf8(['tag' => $tag]);
        Refusal::unlessLength('tag', $tag, self::MAX_NAME);
    }
}
