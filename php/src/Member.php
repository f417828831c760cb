<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * A user who is in a channel with presence, or was.
 *
 *     foreach (Member::in('room:7') as $member) { echo $member->user; }
 *     $member->channel()->sendJson(['joined' => $member->user]);
 */
final class Member
{
    /**
     * @param string      $tag         the channel
     * @param string      $user        what the application knows the user by
     * @param string      $info        what was said about the user last
     * @param string|null $route       the route that the channel is of; null: the only one that has presence for the tag
     * @param int|null    $connections in the channel; 0 while the user may come back in the time of grace; null in onJoin() and onLeave()
     */
    public function __construct(
        public readonly string $tag,
        public readonly string $user,
        public readonly string $info = '',
        public readonly ?string $route = null,
        public readonly ?int $connections = null,
    ) {
    }

    /**
     * Who is in a channel, sorted by user.
     *
     * @param string      $tag   1 to 255 bytes of UTF-8
     * @param string|null $route null: the only one that has presence for the tag
     *
     * @return list<self>
     *
     * @throws InvalidArgumentException when no route has presence for the tag, or several have and none is named
     */
    public static function in(string $tag, ?string $route = null): array
    {
        return array_map(
            static fn (array $member): self => new self($tag, $member['user'], $member['info'], $route, $member['connections']),
            \frankenphp_ws_presence($tag, $route),
        );
    }

    /** Everyone who has the channel's tag, with a user or without one. */
    public function channel(): Clients
    {
        $clients = Clients::tagged($this->tag);

        return $this->route === null ? $clients : $clients->on($this->route);
    }

    /** The connections of the user. */
    public function clients(): Clients
    {
        return Clients::ofUser($this->user);
    }
}
