<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Testing;

use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\ChannelApplication;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Member;
use FrankenPHP\WebSocket\PresenceApplication;
use FrankenPHP\WebSocket\PusherApplication;
use FrankenPHP\WebSocket\ResumeApplication;
use FrankenPHP\WebSocket\StartApplication;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Symfony\EventApplication;
use FrankenPHP\WebSocket\Timer;
use FrankenPHP\WebSocket\TimerApplication;

/**
 * The application of the container that the test has now. Between two requests of a test Symfony makes another container; to handlers it is as
 * if their worker had started again, and connections stay.
 *
 * @internal
 */
final class CurrentApplication implements ChannelApplication, PresenceApplication, PusherApplication, ResumeApplication, StartApplication, TimerApplication
{
    private ?EventApplication $last = null;

    /** @param \Closure(): EventApplication $current */
    public function __construct(private readonly \Closure $current)
    {
    }

    public function onStart(): void
    {
        $this->now();
    }

    public function onOpen(Connection $connection): void
    {
        $this->now()->onOpen($connection);
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $this->now()->onMessage($connection, $data, $binary);
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        $this->now()->onClose($connection, $code, $reason);
    }

    public function onError(Connection $connection, \Throwable $error): void
    {
        $this->now()->onError($connection, $error);
    }

    public function onSuspend(Connection $connection): void
    {
        $this->now()->onSuspend($connection);
    }

    public function onResume(Connection $connection): void
    {
        $this->now()->onResume($connection);
    }

    public function onJoin(Member $member): void
    {
        $this->now()->onJoin($member);
    }

    public function onLeave(Member $member): void
    {
        $this->now()->onLeave($member);
    }

    public function onSubscribe(Subscriber $subscriber): void
    {
        $this->now()->onSubscribe($subscriber);
    }

    public function onUnsubscribe(Subscriber $subscriber): void
    {
        $this->now()->onUnsubscribe($subscriber);
    }

    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void
    {
        $this->now()->onClientEvent($subscriber, $event, $data);
    }

    public function onChannelOccupied(Channel $channel): void
    {
        $this->now()->onChannelOccupied($channel);
    }

    public function onChannelVacated(Channel $channel): void
    {
        $this->now()->onChannelVacated($channel);
    }

    public function onCacheMiss(Channel $channel): void
    {
        $this->now()->onCacheMiss($channel);
    }

    public function onSubscriptionCount(Channel $channel, int $count): void
    {
        $this->now()->onSubscriptionCount($channel, $count);
    }

    public function onTimer(Timer $timer): void
    {
        $this->now()->onTimer($timer);
    }

    private function now(): EventApplication
    {
        $current = ($this->current)();
        if ($current !== $this->last) {
            $this->last = $current;
            $current->resetBeforeEvents();
            $current->onStart();
        }

        return $current;
    }
}
