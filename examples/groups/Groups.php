<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Group;

/**
 * Users, who may be connected more than once, and groups of them. A message is a JSON object with one of
 *
 *     {"login": "anna"}  {"join": "kitchen"}  {"leave": "kitchen"}
 *     {"say": "…"}  {"say": "…", "group": "kitchen"}  {"say": "…", "user": "anna"}  {"say": "…", "except group": "kitchen"}
 *
 * This is an example: anyone may log in as anybody. On a real site the session of the visitor tells who they are.
 */
final class Groups implements Application
{
    public function onOpen(Connection $c): void
    {
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        $message = json_decode($data, true, 2);
        $texts = is_array($message) ? array_filter($message, static fn (mixed $value): bool => is_string($value) && $value !== '') : [];
        $user = Group::userOf($c);
        match (true) {
            isset($texts['login']) && $user === null => $this->login($c, $texts['login']),
            $user === null => $this->refuse($c, 'Log in first: {"login": "anna"}'),
            isset($texts['join']) => $this->join($c, $user, new Group($texts['join'])),
            isset($texts['leave']) => $this->leave($c, $user, new Group($texts['leave'])),
            isset($texts['say'], $texts['group']) => $this->say($c, $user, (new Group($texts['group']))->members(), $texts['say']),
            isset($texts['say'], $texts['user']) => $this->say($c, $user, Group::user($texts['user'])->members(), $texts['say']),
            // A name that a visitor has chosen never becomes a part of the expression itself.
            isset($texts['say'], $texts['except group']) => $this->say($c, $user, Clients::matching('user:*&!group:?', $texts['except group']), $texts['say']),
            isset($texts['say']) => $this->say($c, $user, Clients::matching('user:*'), $texts['say']),
            default => $this->refuse($c, 'That is no message of this example.'),
        };
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
        // Its tags are still known here, though nothing reaches it any more.
        $user = Group::userOf($c);
        foreach (Group::of($c) as $name) {
            self::tell((new Group($name))->members(), ['left' => $name, 'user' => $user]);
        }
        Status::changed();
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $c->logger()->warning('a message was refused: {error}', ['error' => $error->getMessage()]);
        $this->refuse($c, $error->getMessage());
    }

    private function login(Connection $c, string $user): void
    {
        Group::user($user)->add($c);
        self::tell(Group::user($user)->members(), ['welcome' => $user, 'windows' => count(Group::user($user)->members())]);
        Status::changed();
    }

    private function join(Connection $c, string $user, Group $group): void
    {
        $group->add($c);
        self::tell($group->members(), ['joined' => $group->name, 'user' => $user]);
        Status::changed();
    }

    private function leave(Connection $c, string $user, Group $group): void
    {
        self::tell($group->members(), ['left' => $group->name, 'user' => $user]);
        $group->remove($c);
        Status::changed();
    }

    private function say(Connection $c, string $user, Clients $to, string $text): void
    {
        $heard = self::tell($to->except($c), ['from' => $user, 'said' => $text]);
        $c->sendJson(['heard by' => $heard]);
    }

    private function refuse(Connection $c, string $why): void
    {
        $c->sendJson(['error' => $why], JSON_INVALID_UTF8_SUBSTITUTE);
    }

    /** @param array<string, mixed> $message */
    private static function tell(Clients $clients, array $message): int
    {
        return $clients->sendJson($message);
    }
}
