<?php

declare(strict_types=1);

namespace Board;

use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Member;
use FrankenPHP\WebSocket\PresenceApplication;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;
use FrankenPHP\WebSocket\Symfony\Security\SecurityUsers;

/** A board on which those who are logged in write. The server keeps the last 50 notes. */
#[AsWebSocketHandler(route: 'board')]
final class Board implements PresenceApplication
{
    use HandlerDefaults;

    private const TAG = 'board';

    public function __construct(private readonly SecurityUsers $users)
    {
    }

    public function onOpen(Connection $connection): void
    {
        $connection->tag(self::TAG, since: '');
        $connection->sendJson(['here' => $this->names()]);
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        if ($binary || $data === '' || mb_strlen($data) > 1000) {
            $connection->sendJson(['error' => 'a note has 1 to 1000 characters']);

            return;
        }
        $user = $this->users->of($connection);
        Clients::tagged(self::TAG)->sendJson(['by' => $user instanceof Person ? $user->getWebSocketInfo()['name'] : 'somebody', 'note' => $data]);
    }

    public function onJoin(Member $member): void
    {
        $this->tellWhoIsHere($member);
    }

    public function onLeave(Member $member): void
    {
        $this->tellWhoIsHere($member);
    }

    /** To all of them one by one: the history is for notes. */
    private function tellWhoIsHere(Member $member): void
    {
        $names = $this->names();
        foreach ($member->channel() as $client) {
            $client->sendJson(['here' => $names]);
        }
    }

    /** @return list<string> */
    private function names(): array
    {
        return array_map(static fn (Member $member): string => (string) json_decode($member->info, true)['name'], Member::in(self::TAG, 'board'));
    }
}
