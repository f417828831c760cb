<?php

declare(strict_types=1);

namespace Tests;

use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Authorizer;
use PHPUnit\Framework\Assert;

/** A client of the application "1", whose key is "key" and whose secret is "secret". */
final class PusherClient
{
    public readonly string $socketId;

    private readonly WebSocketClient $client;

    public function __construct(int $port)
    {
        $this->client = new WebSocketClient($port, '/app/key?protocol=7&client=js&version=8.6.0');
        $this->socketId = $this->event()[1]['socket_id'];
    }

    public function subscribe(string $channel, string $user = ''): void
    {
        $authorizer = new Authorizer(new App('1', 'key', 'secret'), new \FrankenPHP\WebSocket\Pusher\Encryption(base64_encode(str_repeat('k', 32))));
        $answer = $user === '' ? $authorizer->privateChannel($this->socketId, $channel) : $authorizer->presenceChannel($this->socketId, $channel, $user);
        $this->send('pusher:subscribe', ['channel' => $channel] + $answer);
        Assert::assertSame('pusher_internal:subscription_succeeded', $this->event()[0]);
    }

    /** @param array<string, mixed> $data */
    public function send(string $event, array $data, ?string $channel = null): void
    {
        $this->client->send(json_encode(['event' => $event, 'data' => $data] + ($channel === null ? [] : ['channel' => $channel]), JSON_THROW_ON_ERROR));
    }

    /** @return array{string, mixed} the name and the data of the next event */
    public function event(): array
    {
        $message = json_decode((string) $this->client->receive(), true, flags: JSON_THROW_ON_ERROR);
        $data = $message['data'] ?? null;

        return [$message['event'], is_string($data) ? json_decode($data, true, flags: JSON_THROW_ON_ERROR) : $data];
    }

    /** The data of the next event with this name. */
    public function next(string $name): mixed
    {
        do {
            [$event, $data] = $this->event();
        } while ($event !== $name);

        return $data;
    }

    /**
     * What a site publishes in the channel "private-log" while a client comes to a cache channel that keeps nothing, and goes.
     *
     * @return list<array{string, mixed}> sorted: the name and the data of each event
     */
    public static function hearsOfChannels(int $port, int $events): array
    {
        $ann = new self($port);
        $ann->subscribe('private-log');
        $bob = new self($port);
        $bob->subscribe('private-cache-state');
        Assert::assertSame('missed', $bob->next('state'));
        $bob->send('pusher:unsubscribe', ['channel' => 'private-cache-state']);
        $told = array_map(static fn (): array => $ann->event(), range(1, $events));
        sort($told);

        return $told;
    }
}
