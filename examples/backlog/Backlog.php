<?php

declare(strict_types=1);

use Example\Redis;
use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Group;

/**
 * A conversation whose last messages are kept, and direct messages, which are not. A message is a JSON object with one of
 *
 *     {"name": "anna"}  {"say": "…"}  {"say": "…", "to": "bob"}
 *
 * The server keeps what was said: the tag is a channel with a history. With Redis the messages survive a restart of the server. Then a client
 * may get one twice, live and from the backlog, and knows it by its number.
 */
final class Backlog implements Application
{
    private const KEPT = 50;
    private const KEY = 'backlog';
    private const TAG = 'listening';

    /** @param Redis|null $redis null: the server itself keeps what was said */
    public function __construct(private readonly ?Redis $redis = null)
    {
    }

    public function onOpen(Connection $c): void
    {
        if ($this->redis === null) {
            // It gets all that is kept, and then what is said from now on.
            $c->tag(self::TAG, since: '');

            return;
        }
        // Listening before looking back: nothing is missed in between.
        $c->tag(self::TAG);
        foreach ($this->redis->command('LRANGE', self::KEY, 0, -1) as $line) {
            $c->send($line);
        }
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        $message = json_decode($data, true, 2);
        $texts = is_array($message) ? array_filter($message, static fn (mixed $value): bool => is_string($value) && $value !== '') : [];
        $name = Group::userOf($c);
        match (true) {
            isset($texts['name']) && $name === null => $this->name($c, $texts['name']),
            $name === null => $c->sendJson(['error' => 'Say who you are first: {"name": "anna"}']),
            isset($texts['say'], $texts['to']) => $this->tell($c, $name, $texts['to'], $texts['say']),
            isset($texts['say']) => $this->say($name, $texts['say']),
            default => $c->sendJson(['error' => 'That is no message of this example.']),
        };
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $c->sendJson(['error' => 'Something went wrong here. It has been logged.']);
    }

    private function name(Connection $c, string $name): void
    {
        Group::user($name)->add($c);
        $c->sendJson(['welcome' => $name]);
    }

    private function say(string $name, string $text): void
    {
        $number = $this->redis?->command('INCR', self::KEY . ':number') ?? frankenphp_ws_global_increment(self::KEY . ':number');
        $line = json_encode(['number' => $number, 'from' => $name, 'said' => $text], JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
        $this->redis?->command('RPUSH', self::KEY, $line);
        $this->redis?->command('LTRIM', self::KEY, -self::KEPT, -1);
        Clients::tagged(self::TAG)->send($line);
    }

    private function tell(Connection $c, string $name, string $to, string $text): void
    {
        $windows = Group::user($to)->members()->sendJson(['from' => $name, 'to' => $to, 'said' => $text]);
        $c->sendJson($windows > 0 ? ['told' => $to] : ['error' => "$to is not here."]);
    }
}
