<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Member;
use FrankenPHP\WebSocket\PresenceApplication;
use FrankenPHP\WebSocket\ResumeApplication;

/**
 * The rules of the chat.
 *
 * PHP keeps nothing, so any number of threads may serve the chat, on any number of servers, and it survives every reload. The server knows
 * all of it: whose a connection is (its user is the nickname), who is here, and what was said. The Caddyfile says so of the two channels.
 */
final class Chat implements PresenceApplication, ResumeApplication
{
    /** The channel with a history: what was said to everyone. */
    private const TALK = 'chat';

    /** The channel with presence: whoever has a nickname. */
    private const HERE = 'chat:here';

    /** In front of the nickname as it is compared: one page at a time holds it. */
    private const CLAIM = 'chat:claim:';

    /** In front of the hash of a page's secret, by which a page that reconnects gets its own nickname back. */
    private const KEY = 'chat:key:';

    public function onOpen(Connection $c): void
    {
        $this->tellServer($c);
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        $message = json_decode($data, true, 3);
        $message = is_array($message) ? $message : [];
        $type = $message['type'] ?? null;
        $name = $c->user();
        match (true) {
            $type === 'hello' && $name === null => $this->join($c, self::text($message, 'name'), self::text($message, 'key')),
            $type === 'say' && $name !== null => $this->say($name, self::text($message, 'text')),
            $type === 'whisper' && $name !== null => $this->whisper($c, $name, self::text($message, 'to'), self::text($message, 'text')),
            default => $c->sendJson(['type' => 'error', 'reason' => 'That is no message of this chat.']),
        };
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $c->sendJson(['type' => 'error', 'reason' => 'Something went wrong here. It has been logged.']);
    }

    /** Not of a page that is loaded anew: the channel gives it some seconds of grace. */
    public function onJoin(Member $member): void
    {
        $member->channel()->sendJson(['type' => 'joined', 'name' => $member->user]);
    }

    public function onLeave(Member $member): void
    {
        $member->channel()->sendJson(['type' => 'left', 'name' => $member->user]);
    }

    public function onSuspend(Connection $c): void
    {
    }

    public function onResume(Connection $c): void
    {
        $this->tellServer($c);
    }

    private function join(Connection $c, string $name, string $key): void
    {
        if (!self::isNickname($name)) {
            $c->sendJson(['type' => 'refused', 'reason' => 'A nickname has 1 to 24 letters or digits, with spaces, dots or dashes between them.']);

            return;
        }
        if (!$this->claim($c, $name, $key)) {
            $c->sendJson(['type' => 'refused', 'reason' => "$name is taken. Please choose another nickname."]);

            return;
        }
        // Be seen and hear of the others first, then look round: nobody can slip through in between.
        $c->setUser($name);
        $c->tag(self::HERE);
        // It gets what was said before, and then what is said from now on.
        $c->tag(self::TALK, since: '');
        $people = array_map(static fn (Member $member): string => $member->user, Member::in(self::HERE));
        $c->sendJson(['type' => 'welcome', 'name' => $name, 'people' => $people]);
    }

    /**
     * Claims first and looks afterwards, so of two pages that want one nickname at the same moment, on two threads or two servers, at most
     * one gets it: whoever looks second sees the other's claim.
     */
    private function claim(Connection $c, string $name, string $key): bool
    {
        $claim = self::CLAIM . (function_exists('mb_strtolower') ? mb_strtolower($name) : strtolower($name));
        $ownKey = self::KEY . hash('sha256', $key);
        $c->tag($ownKey);
        $c->tag($claim);
        if (count(Clients::matching('?&!?', $claim, $ownKey)) > 0) {
            $c->untag($claim);

            return false;
        }
        // The same page, which has come back before its old connection was noticed to be dead, or is in a second window.
        Clients::matching('?&?', $claim, $ownKey)->except($c)->close(4000, 'connected again elsewhere');

        return true;
    }

    private function say(string $name, string $text): void
    {
        if (self::isSayable($text)) {
            // By the id the page knows what it shows already: after a break it may be told it again.
            Clients::tagged(self::TALK)->sendJson(['type' => 'said', 'id' => bin2hex(random_bytes(8)), 'name' => $name, 'text' => $text, 'at' => self::now()]);
        }
    }

    private function whisper(Connection $c, string $name, string $to, string $text): void
    {
        if (!self::isSayable($text)) {
            return;
        }
        // A nickname is no client's id: its page may be on any server, and have another connection by now.
        if (!self::isNickname($to) || count(Clients::ofUser($to)) === 0) {
            $c->sendJson(['type' => 'error', 'reason' => 'That did not arrive: they have left.']);

            return;
        }
        $message = ['type' => 'whispered', 'name' => $name, 'to' => $to, 'text' => $text, 'at' => self::now()];
        Clients::ofUser($to)->sendJson($message);
        if ($to !== $name) {
            $c->sendJson($message);
        }
    }

    /** Where there are several servers, the page shows on which one it is: see examples/cluster. */
    private function tellServer(Connection $c): void
    {
        $server = getenv('CHAT_SERVER');
        if ($server !== false) {
            $c->sendJson(['type' => 'server', 'name' => $server]);
        }
    }

    /** @param array<mixed> $message */
    private static function text(array $message, string $field): string
    {
        return is_string($message[$field] ?? null) ? trim($message[$field]) : '';
    }

    private static function isNickname(string $name): bool
    {
        return preg_match('/^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N} ._-]{0,22}[\p{L}\p{M}\p{N}])?$/Du', $name) === 1;
    }

    private static function isSayable(string $text): bool
    {
        return preg_match('/^.{1,2000}$/Dsu', $text) === 1;
    }

    /** Milliseconds since 1970, as the page's Date wants them. */
    private static function now(): int
    {
        return (int) (microtime(true) * 1000);
    }
}
