<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * Gives events to an application, and reports those on which it fails.
 *
 * @internal Server and the fake server use it
 */
final class Dispatcher
{
    /** What clients of the Pusher protocol do. */
    public const OF_SUBSCRIBERS = ['subscribe', 'unsubscribe', 'client_event'];

    /** What becomes of their channels. */
    public const OF_CHANNELS = ['channel_occupied', 'channel_vacated', 'cache_miss', 'subscription_count'];

    public function __construct(private readonly Application $application, private readonly ?\Psr\Log\LoggerInterface $log = null)
    {
    }

    /** The thread has started. */
    public function start(): void
    {
        if ($this->application instanceof StartApplication) {
            $this->application->onStart();
        }
    }

    /** @param array<string, mixed> $event as frankenphp_ws_nextEvent() returns it */
    public function dispatch(array $event): void
    {
        if ($event['type'] === 'timer') {
            $this->timer(new Timer($event['timer'], $event['payload']));

            return;
        }
        if ($event['type'] === 'join' || $event['type'] === 'leave') {
            $this->presence($event['type'] === 'join', new Member($event['tag'], $event['user'], $event['info'], $event['route']));

            return;
        }
        if (in_array($event['type'], self::OF_SUBSCRIBERS, true)) {
            $this->subscriber($event);

            return;
        }
        if (in_array($event['type'], self::OF_CHANNELS, true)) {
            $this->channel($event);

            return;
        }
        if (!isset($event['id'])) {
            // Of no connection, and this version does not know what it is.
            return;
        }
        $connection = $event['type'] === 'open' || $event['type'] === 'resume' ? new Connection(
            $event['id'],
            $event['route'],
            $event['path'],
            $event['query'],
            $event['headers'],
            $event['cookies'],
            $event['ip'],
            $event['subprotocol'],
            $this->log,
        ) : new Connection($event['id'], $event['route'], log: $this->log);
        try {
            match ($event['type']) {
                'message' => $this->application->onMessage($connection, $event['data'], $event['binary']),
                'open' => $this->application->onOpen($connection),
                'close' => $this->application->onClose($connection, $event['code'], $event['reason']),
                'suspend', 'resume' => $this->away($connection, $event['type'] === 'suspend'),
                // An event type that this version does not know is not the application's business.
                default => null,
            };
        } catch (\Throwable $error) {
            $this->fail($connection, $error);
        }
    }

    private function timer(Timer $timer): void
    {
        if (!$this->application instanceof TimerApplication) {
            \frankenphp_ws_failEvent('a timer went off, but ' . $this->application::class . ' does not implement ' . TimerApplication::class);

            return;
        }
        self::attempt(fn () => $this->application->onTimer($timer));
    }

    /** An application that does not ask for it is told nothing. */
    private function away(Connection $connection, bool $left): void
    {
        if ($this->application instanceof ResumeApplication) {
            $left ? $this->application->onSuspend($connection) : $this->application->onResume($connection);
        }
    }

    /** An application that does not ask for it is told nothing. */
    private function presence(bool $joined, Member $member): void
    {
        if ($this->application instanceof PresenceApplication) {
            self::attempt(fn () => $joined ? $this->application->onJoin($member) : $this->application->onLeave($member));
        }
    }

    /**
     * An application that does not ask for it is told nothing.
     *
     * @param array<string, mixed> $event
     */
    private function subscriber(array $event): void
    {
        if (!$this->application instanceof PusherApplication) {
            return;
        }
        $subscriber = new Subscriber($event['id'], $event['route'], $event['tag'], $event['user'], $event['info'] ?? '');
        self::attempt(fn () => match ($event['type']) {
            'subscribe' => $this->application->onSubscribe($subscriber),
            'unsubscribe' => $this->application->onUnsubscribe($subscriber),
            'client_event' => $this->application->onClientEvent($subscriber, $event['event'], $event['data']),
        });
    }

    /**
     * An application that does not ask for it is told nothing.
     *
     * @param array<string, mixed> $event
     */
    private function channel(array $event): void
    {
        if (!$this->application instanceof ChannelApplication) {
            return;
        }
        $channel = new Channel($event['tag'], $event['route']);
        self::attempt(fn () => match ($event['type']) {
            'channel_occupied' => $this->application->onChannelOccupied($channel),
            'channel_vacated' => $this->application->onChannelVacated($channel),
            'cache_miss' => $this->application->onCacheMiss($channel),
            'subscription_count' => $this->application->onSubscriptionCount($channel, $event['count']),
        });
    }

    /**
     * Runs what the application does with an event that has no Connection. If it fails, the event does.
     *
     * @param \Closure(): mixed $run
     */
    private static function attempt(\Closure $run): void
    {
        try {
            $run();
        } catch (\Throwable $error) {
            Caller::blameIfOurs($error);
            \frankenphp_ws_failEvent(Cause::of($error));
        }
    }

    private function fail(Connection $connection, \Throwable $error): void
    {
        Caller::blameIfOurs($error);
        $cause = Cause::of($error);
        try {
            // Before the report: with `on_error close`, that is the last chance to tell the client anything.
            $this->application->onError($connection, $error);
        } catch (\Throwable $second) {
            Caller::blameIfOurs($second);
            $cause .= "\nthen onError threw " . Cause::of($second);
        }
        \frankenphp_ws_failEvent($cause);
    }
}
