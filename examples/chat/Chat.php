<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Connection;

/**
 * The rules of the chat.
 *
 * All state is in tags, none in PHP: so any number of threads may serve the chat, and it survives every reload. Who is here
 * is told in differences by connection id (joined, left). They may overtake each other on their way through several threads,
 * since ids never come back: whoever has left stays away, whatever arrives later.
 */
final class Chat implements Application
{
    /** On everyone who has a nickname. */
    private const HERE = 'chat';

    /** In front of the nickname as it is shown. */
    private const NAME = 'chat:name:';

    /** In front of the nickname as it is compared: one client at a time holds it. */
    private const CLAIM = 'chat:claim:';

    /** In front of the hash of a page's secret, by which a page that reconnects gets its own nickname back. */
    private const KEY = 'chat:key:';

    public function onOpen(Connection $c): void
    {
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        $message = json_decode($data, true, 3);
        if (!is_array($message)) {
            $this->tell($c->id, ['type' => 'error', 'reason' => 'That is no message of this chat.']);

            return;
        }
        match ($message['type'] ?? null) {
            'hello' => $this->join($c, self::text($message, 'name'), self::text($message, 'key')),
            'say' => $this->say($c, self::text($message, 'text')),
            'whisper' => $this->whisper($c, self::text($message, 'to'), self::text($message, 'text')),
            default => $this->tell($c->id, ['type' => 'error', 'reason' => 'That is no message of this chat.']),
        };
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
        // Its tags are still known here. Whoever has none never tried to join.
        if (frankenphp_ws_getTags($c->id) !== []) {
            $this->tellAll(['type' => 'left', 'id' => $c->id]);
        }
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $this->tell($c->id, ['type' => 'error', 'reason' => 'Something went wrong here. It has been logged.']);
    }

    private function join(Connection $c, string $name, string $key): void
    {
        if ($this->nameOf($c->id) !== null) {
            return;
        }
        if (!preg_match('/^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N} ._-]{0,22}[\p{L}\p{M}\p{N}])?$/Du', $name)) {
            $this->tell($c->id, ['type' => 'refused', 'reason' => 'A nickname has 1 to 24 letters or digits, with spaces, dots or dashes between them.']);

            return;
        }
        if (!$this->claim($c, $name, self::KEY . hash('sha256', $key))) {
            $this->tell($c->id, ['type' => 'refused', 'reason' => "$name is taken. Please choose another nickname."]);

            return;
        }
        // Hear of the others first, then be seen, then look round: nobody can slip through in between.
        $c->tag(self::HERE);
        $c->tag(self::NAME . $name);
        $this->tell($c->id, ['type' => 'welcome', 'id' => $c->id, 'name' => $name, 'people' => $this->people()]);
        $this->tellAll(['type' => 'joined', 'id' => $c->id, 'name' => $name], $c->id);
    }

    /**
     * Claims first and looks afterwards, so of two clients that want one nickname at the same moment on two threads at most
     * one gets it: whoever looks second sees the other's claim.
     */
    private function claim(Connection $c, string $name, string $keyTag): bool
    {
        $claim = self::CLAIM . (function_exists('mb_strtolower') ? mb_strtolower($name) : strtolower($name));
        $c->tag($keyTag);
        $c->tag($claim);
        foreach (frankenphp_ws_getClientsByTag($claim) as $holder) {
            if ($holder === $c->id) {
                continue;
            }
            if (!in_array($keyTag, frankenphp_ws_getTags($holder), true)) {
                $c->untag($claim);

                return false;
            }
            $this->replace($holder, $claim);
        }

        return true;
    }

    /** The same page has come back before its old connection was noticed to be dead, or in a second window. */
    private function replace(string $id, string $claim): void
    {
        // It may just have noticed by itself: then these answer false.
        frankenphp_ws_untagClient($id, $claim);
        frankenphp_ws_untagClient($id, self::HERE);
        frankenphp_ws_untagClient($id, self::NAME . $this->nameOf($id));
        frankenphp_ws_close($id, 4000, 'connected again elsewhere');
    }

    private function say(Connection $c, string $text): void
    {
        $name = $this->nameOf($c->id);
        if ($name !== null && self::sayable($text)) {
            $this->tellAll(['type' => 'said', 'id' => $c->id, 'name' => $name, 'text' => $text, 'at' => self::now()]);
        }
    }

    private function whisper(Connection $c, string $to, string $text): void
    {
        $name = $this->nameOf($c->id);
        if ($name === null || !self::sayable($text)) {
            return;
        }
        $toName = $to === '' ? null : $this->nameOf($to);
        $message = ['type' => 'whispered', 'id' => $c->id, 'name' => $name, 'to' => $to, 'toName' => $toName, 'text' => $text, 'at' => self::now()];
        if ($toName === null || !$this->tell($to, $message)) {
            $this->tell($c->id, ['type' => 'error', 'reason' => 'That did not arrive: they have left.']);

            return;
        }
        if ($to !== $c->id) {
            $this->tell($c->id, $message);
        }
    }

    /** @return list<array{id: string, name: string}> */
    private function people(): array
    {
        $people = [];
        foreach (frankenphp_ws_getTags() as $tag) {
            if (str_starts_with($tag, self::NAME)) {
                foreach (frankenphp_ws_getClientsByTag($tag) as $id) {
                    $people[] = ['id' => $id, 'name' => substr($tag, strlen(self::NAME))];
                }
            }
        }

        return $people;
    }

    private function nameOf(string $id): ?string
    {
        foreach (frankenphp_ws_getTags($id) as $tag) {
            if (str_starts_with($tag, self::NAME)) {
                return substr($tag, strlen(self::NAME));
            }
        }

        return null;
    }

    /** @param array<string, mixed> $message */
    private function tell(string $id, array $message): bool
    {
        return frankenphp_ws_send($id, self::encode($message));
    }

    /** @param array<string, mixed> $message */
    private function tellAll(array $message, ?string $exceptId = null): void
    {
        frankenphp_ws_sendToTag(self::HERE, self::encode($message), exceptId: $exceptId);
    }

    /** @param array<string, mixed> $message */
    private static function encode(array $message): string
    {
        return json_encode($message, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
    }

    /** @param array<mixed> $message */
    private static function text(array $message, string $field): string
    {
        return is_string($message[$field] ?? null) ? trim($message[$field]) : '';
    }

    private static function sayable(string $text): bool
    {
        return preg_match('/^.{1,2000}$/Dsu', $text) === 1;
    }

    /** Milliseconds since 1970, as the page's Date wants them. */
    private static function now(): int
    {
        return (int) (microtime(true) * 1000);
    }
}
