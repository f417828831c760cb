<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * Clients under a common name: a room, or the connections of one user.
 *
 *     $kitchen = new Group('kitchen');
 *     $kitchen->add($connection);
 *     $kitchen->members()->except($connection)->send('Somebody has come in.');
 *     Group::user('42')->members()->send('To every window of user 42.');
 *
 * A group is a tag (`group:kitchen`, `user:42`), so any PHP code of the server reaches it, expressions select by it, and a client
 * leaves all of its groups by going. A group nobody is in does not exist.
 */
final class Group
{
    private const GROUP = 'group:';
    private const USER = 'user:';

    /** The tag that its members have. */
    public readonly string $tag;

    /**
     * @param string $name 1 to 249 bytes of UTF-8
     * @param string $kind what stands before the name in the tag, for an application that has other kinds of groups
     */
    public function __construct(public readonly string $name, string $kind = self::GROUP)
    {
        $this->tag = $kind . $name;
    }

    /**
     * The connections of one user, who may have several windows and devices.
     *
     * @param string $user what the application knows the user by, 1 to 250 bytes of UTF-8
     */
    public static function user(string $user): self
    {
        return new self($user, self::USER);
    }

    /** @return list<string> names of the groups that somebody is in, sorted */
    public static function names(): array
    {
        return self::suffixes(\frankenphp_ws_getTags(), self::GROUP);
    }

    /** @return list<string> the users who are connected, sorted */
    public static function users(): array
    {
        return self::suffixes(\frankenphp_ws_getTags(), self::USER);
    }

    /** @return list<string> names of the groups that a client is in, sorted; empty when it is gone */
    public static function of(Client $client): array
    {
        return self::suffixes($client->tags(), self::GROUP);
    }

    /** The user to whose group a client was added; null: to none, or the client is gone. */
    public static function userOf(Client $client): ?string
    {
        return self::suffixes($client->tags(), self::USER)[0] ?? null;
    }

    /** @return bool false when the client is gone */
    public function add(Client $client): bool
    {
        return $client->tag($this->tag);
    }

    /** @return bool false when the client is gone */
    public function remove(Client $client): bool
    {
        return $client->untag($this->tag);
    }

    /** @return bool false, too, when the client is gone */
    public function has(Client $client): bool
    {
        return $client->hasTag($this->tag);
    }

    public function members(): Clients
    {
        return Clients::tagged($this->tag);
    }

    /**
     * @param list<string> $tags
     *
     * @return list<string>
     */
    private static function suffixes(array $tags, string $prefix): array
    {
        $suffixes = [];
        foreach ($tags as $tag) {
            if (str_starts_with($tag, $prefix)) {
                $suffixes[] = substr($tag, strlen($prefix));
            }
        }

        return $suffixes;
    }
}
