<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use FrankenPHP\WebSocket\Cause;
use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\ChannelApplication;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Member;
use FrankenPHP\WebSocket\PresenceApplication;
use FrankenPHP\WebSocket\PusherApplication;
use FrankenPHP\WebSocket\ResumeApplication;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Timer;
use FrankenPHP\WebSocket\TimerApplication;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Foundation\Application as Laravel;

/** What happens on connections, as Laravel events: listeners are those of the application. */
final class EventApplication implements ChannelApplication, PresenceApplication, PusherApplication, ResumeApplication, TimerApplication
{
    public function __construct(private readonly Sandbox $sandbox)
    {
    }

    public function onOpen(Connection $connection): void
    {
        $this->dispatch(new Events\ClientConnected($connection));
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $this->dispatch(new Events\MessageReceived($connection, $data, $binary));
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        $this->dispatch(new Events\ClientDisconnected($connection, $code, $reason));
    }

    public function onSuspend(Connection $connection): void
    {
        $this->dispatch(new Events\ClientSuspended($connection));
    }

    public function onResume(Connection $connection): void
    {
        $this->dispatch(new Events\ClientResumed($connection));
    }

    public function onJoin(Member $member): void
    {
        $this->dispatch(new Events\MemberJoined($member));
    }

    public function onLeave(Member $member): void
    {
        $this->dispatch(new Events\MemberLeft($member));
    }

    public function onSubscribe(Subscriber $subscriber): void
    {
        $this->dispatch(new Events\ChannelSubscribed($subscriber));
    }

    public function onUnsubscribe(Subscriber $subscriber): void
    {
        $this->dispatch(new Events\ChannelUnsubscribed($subscriber));
    }

    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void
    {
        $this->dispatch(new Events\ClientEventSent($subscriber, $event, $data));
    }

    public function onChannelOccupied(Channel $channel): void
    {
        $this->dispatch(new Events\ChannelOccupied($channel));
    }

    public function onChannelVacated(Channel $channel): void
    {
        $this->dispatch(new Events\ChannelVacated($channel));
    }

    public function onCacheMiss(Channel $channel): void
    {
        $this->dispatch(new Events\CacheMissed($channel));
    }

    public function onSubscriptionCount(Channel $channel, int $count): void
    {
        $this->dispatch(new Events\SubscribersCounted($channel, $count));
    }

    public function onTimer(Timer $timer): void
    {
        $this->dispatch(new Events\TimerWentOff($timer));
    }

    /** The error has been reported by then. */
    public function onError(Connection $connection, \Throwable $error): void
    {
        $this->dispatch(new Events\ListenerFailed($connection, $error));
    }

    private function dispatch(object $event): void
    {
        $this->sandbox->run(static function (Laravel $app) use ($event): void {
            try {
                $app->make('events')->dispatch($event);
            } catch (\Throwable $error) {
                // As in a request: the handler of the application decides what is reported, and where.
                self::report($app, $error);
                throw $error;
            }
        }, self::report(...));
    }

    private static function report(Laravel $app, \Throwable $error): void
    {
        try {
            $app->make(ExceptionHandler::class)->report($error);
        } catch (\Throwable $second) {
            // Such as a log that cannot be written. The server logs the first one: it is what the event has failed of.
            error_log('The exception handler of the Laravel application failed: ' . Cause::of($second));
        }
    }
}
