<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Cause;
use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\ChannelApplication;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Member;
use FrankenPHP\WebSocket\PresenceApplication;
use FrankenPHP\WebSocket\PusherApplication;
use FrankenPHP\WebSocket\ResumeApplication;
use FrankenPHP\WebSocket\StartApplication;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Timer;
use FrankenPHP\WebSocket\TimerApplication;
use Psr\Log\LoggerInterface;
use Symfony\Contracts\Service\ResetInterface;
use Symfony\Contracts\Service\ServiceProviderInterface;

/** Gives each event to the handler of its route. After each event the services are reset, as after a request. */
final class EventApplication implements ChannelApplication, PresenceApplication, PusherApplication, ResumeApplication, StartApplication, TimerApplication
{
    /** The handler of all routes that have none of their own. No route has this name. */
    public const ALL = '';

    private bool $isTest = false;

    /** @param ServiceProviderInterface<Application> $handlers by route */
    public function __construct(
        private readonly ServiceProviderInterface $handlers,
        private readonly ResetInterface $services,
        private readonly ?LoggerInterface $logger = null,
    ) {
    }

    public function onStart(): void
    {
        $this->each(static fn (Application $handler) => $handler instanceof StartApplication ? $handler->onStart() : null);
    }

    public function onOpen(Connection $connection): void
    {
        if (!$this->has($connection->route)) {
            $this->logger?->warning('The route "{route}" has no handler: the client is closed with 1008. A service with #[AsWebSocketHandler] is missing.', ['route' => $connection->route]);
            $connection->close(1008, 'this route has no handler');

            return;
        }
        $this->of($connection->route, static fn (Application $handler) => $handler->onOpen($connection));
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $this->of($connection->route, static fn (Application $handler) => $handler->onMessage($connection, $data, $binary));
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        $this->of($connection->route, static fn (Application $handler) => $handler->onClose($connection, $code, $reason));
    }

    public function onError(Connection $connection, \Throwable $error): void
    {
        $this->of($connection->route, static fn (Application $handler) => $handler->onError($connection, $error));
    }

    public function onSuspend(Connection $connection): void
    {
        $this->of($connection->route, static fn (Application $handler) => $handler instanceof ResumeApplication ? $handler->onSuspend($connection) : null);
    }

    public function onResume(Connection $connection): void
    {
        $this->of($connection->route, static fn (Application $handler) => $handler instanceof ResumeApplication ? $handler->onResume($connection) : null);
    }

    public function onJoin(Member $member): void
    {
        $this->of((string) $member->route, static fn (Application $handler) => $handler instanceof PresenceApplication ? $handler->onJoin($member) : null);
    }

    public function onLeave(Member $member): void
    {
        $this->of((string) $member->route, static fn (Application $handler) => $handler instanceof PresenceApplication ? $handler->onLeave($member) : null);
    }

    public function onSubscribe(Subscriber $subscriber): void
    {
        $this->of($subscriber->route, static fn (Application $handler) => $handler instanceof PusherApplication ? $handler->onSubscribe($subscriber) : null);
    }

    public function onUnsubscribe(Subscriber $subscriber): void
    {
        $this->of($subscriber->route, static fn (Application $handler) => $handler instanceof PusherApplication ? $handler->onUnsubscribe($subscriber) : null);
    }

    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void
    {
        $this->of($subscriber->route, static fn (Application $handler) => $handler instanceof PusherApplication ? $handler->onClientEvent($subscriber, $event, $data) : null);
    }

    public function onChannelOccupied(Channel $channel): void
    {
        $this->of($channel->route, static fn (Application $handler) => $handler instanceof ChannelApplication ? $handler->onChannelOccupied($channel) : null);
    }

    public function onChannelVacated(Channel $channel): void
    {
        $this->of($channel->route, static fn (Application $handler) => $handler instanceof ChannelApplication ? $handler->onChannelVacated($channel) : null);
    }

    public function onCacheMiss(Channel $channel): void
    {
        $this->of($channel->route, static fn (Application $handler) => $handler instanceof ChannelApplication ? $handler->onCacheMiss($channel) : null);
    }

    public function onSubscriptionCount(Channel $channel, int $count): void
    {
        $this->of($channel->route, static fn (Application $handler) => $handler instanceof ChannelApplication ? $handler->onSubscriptionCount($channel, $count) : null);
    }

    /** A timer is of the worker, and of no route: each handler tells its own by the payload. */
    public function onTimer(Timer $timer): void
    {
        $this->each(static fn (Application $handler) => $handler instanceof TimerApplication ? $handler->onTimer($timer) : null);
    }

    /**
     * Services are reset before an event, not after it, so that a test finds what the event has left there: mails, messages, logs.
     *
     * @internal
     */
    public function resetBeforeEvents(): void
    {
        $this->isTest = true;
    }

    private function has(string $route): bool
    {
        return $this->handlers->has($route) || $this->handlers->has(self::ALL);
    }

    /** @param \Closure(Application): mixed $event */
    private function of(string $route, \Closure $event): void
    {
        if ($this->has($route)) {
            $this->handle(fn () => $event($this->handlers->get($this->handlers->has($route) ? $route : self::ALL)));
        }
    }

    /**
     * Each handler once, though it has several routes. Where one fails, the others hear of it all the same.
     *
     * @param \Closure(Application): mixed $event
     */
    private function each(\Closure $event): void
    {
        $this->handle(function () use ($event): void {
            $told = [];
            $failure = null;
            foreach (array_keys($this->handlers->getProvidedServices()) as $route) {
                try {
                    $handler = $this->handlers->get((string) $route);
                    if (!in_array($handler, $told, true)) {
                        $told[] = $handler;
                        $event($handler);
                    }
                } catch (\Throwable $error) {
                    $failure === null ? $failure = $error : $this->report('A WebSocket handler failed, too: {message}', $error);
                }
            }
            if ($failure !== null) {
                throw $failure;
            }
        });
    }

    private function handle(\Closure $event): void
    {
        if ($this->isTest) {
            $this->reset();
        }
        try {
            $event();
        } catch (\Throwable $error) {
            $this->report('A WebSocket handler failed: {message}', $error);
            throw $error;
        } finally {
            if (!$this->isTest) {
                $this->reset();
            }
        }
    }

    private function reset(): void
    {
        try {
            $this->services->reset();
        } catch (\Throwable $error) {
            $this->report('A service could not be reset after a WebSocket event: {message}', $error);
            throw $error;
        }
    }

    private function report(string $what, \Throwable $error): void
    {
        try {
            $this->logger?->error($what, ['message' => $error->getMessage(), 'exception' => $error]);
        } catch (\Throwable $second) {
            // What the handler threw fails the event, which the server logs. What the logger threw is said nowhere else.
            error_log('The logger of the Symfony application failed: ' . Cause::of($second));
        }
    }
}
