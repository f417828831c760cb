<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * Several applications in one worker, chosen by sub-protocol or by route.
 *
 *     Server::run(new Router(
 *         subprotocols: ['chat.v2' => new Chat2(), 'chat.v1' => new Chat1()],
 *         routes: ['admin' => new Admin()],
 *         default: new Lobby(),
 *     ));
 *
 * The sub-protocol that was negotiated counts first, then the name of the route, then the default. What fits none is closed with
 * 1008. The sub-protocols must be in the route's `subprotocols` option too, or they are never negotiated.
 *
 * The router puts a tag on each client of a sub-protocol, `subprotocol:chat.v2`, by which the clients of one application can be sent
 * to. onStart() is called of every application that implements StartApplication, and a timer is told to every one that implements
 * TimerApplication: tell yours by the payload. Who joins or leaves a channel of a route is told to the application of that route, or else
 * the default, and to those of sub-protocols, where they implement PresenceApplication. That the network of a client is away, and that it
 * is back, is told to its application, where that implements ResumeApplication. What clients of the Pusher protocol do is told to the application of
 * their route, or else the default, where that implements PusherApplication; so is what becomes of their channels, with ChannelApplication.
 */
final class Router implements ChannelApplication, PresenceApplication, PusherApplication, ResumeApplication, StartApplication, TimerApplication
{
    private const TAG = 'subprotocol:';

    /**
     * @param array<string, Application> $routes       by name of the route
     * @param array<string, Application> $subprotocols by name of the sub-protocol
     * @param Application|null           $default      for all others; null: they are refused
     */
    public function __construct(
        private readonly array $routes = [],
        private readonly array $subprotocols = [],
        private readonly ?Application $default = null,
    ) {
        foreach ([...array_values($routes), ...array_values($subprotocols)] as $application) {
            if (!$application instanceof Application) {
                throw Caller::blame(new \TypeError('a Router takes objects of ' . Application::class . ', ' . get_debug_type($application) . ' given'));
            }
        }
    }

    public function onStart(): void
    {
        foreach ($this->everyone() as $application) {
            if ($application instanceof StartApplication) {
                $application->onStart();
            }
        }
    }

    public function onOpen(Connection $connection): void
    {
        if (isset($this->subprotocols[$connection->subprotocol])) {
            $connection->tag(self::TAG . $connection->subprotocol);
        }
        $this->applicationOf($connection)?->onOpen($connection);
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $this->applicationOf($connection)?->onMessage($connection, $data, $binary);
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        $this->find($connection)?->onClose($connection, $code, $reason);
    }

    public function onSuspend(Connection $connection): void
    {
        $application = $this->find($connection);
        if ($application instanceof ResumeApplication) {
            $application->onSuspend($connection);
        }
    }

    public function onResume(Connection $connection): void
    {
        $application = $this->find($connection);
        if ($application instanceof ResumeApplication) {
            $application->onResume($connection);
        }
    }

    public function onError(Connection $connection, \Throwable $error): void
    {
        $this->find($connection)?->onError($connection, $error);
    }

    public function onTimer(Timer $timer): void
    {
        self::tell($this->everyone(), static function (Application $application) use ($timer): void {
            if ($application instanceof TimerApplication) {
                $application->onTimer($timer);
            }
        });
    }

    public function onJoin(Member $member): void
    {
        self::tell($this->of($member), static function (Application $application) use ($member): void {
            if ($application instanceof PresenceApplication) {
                $application->onJoin($member);
            }
        });
    }

    public function onLeave(Member $member): void
    {
        self::tell($this->of($member), static function (Application $application) use ($member): void {
            if ($application instanceof PresenceApplication) {
                $application->onLeave($member);
            }
        });
    }

    public function onSubscribe(Subscriber $subscriber): void
    {
        $this->onRoute($subscriber->route, PusherApplication::class)?->onSubscribe($subscriber);
    }

    public function onUnsubscribe(Subscriber $subscriber): void
    {
        $this->onRoute($subscriber->route, PusherApplication::class)?->onUnsubscribe($subscriber);
    }

    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void
    {
        $this->onRoute($subscriber->route, PusherApplication::class)?->onClientEvent($subscriber, $event, $data);
    }

    public function onChannelOccupied(Channel $channel): void
    {
        $this->onRoute($channel->route, ChannelApplication::class)?->onChannelOccupied($channel);
    }

    public function onChannelVacated(Channel $channel): void
    {
        $this->onRoute($channel->route, ChannelApplication::class)?->onChannelVacated($channel);
    }

    public function onCacheMiss(Channel $channel): void
    {
        $this->onRoute($channel->route, ChannelApplication::class)?->onCacheMiss($channel);
    }

    public function onSubscriptionCount(Channel $channel, int $count): void
    {
        $this->onRoute($channel->route, ChannelApplication::class)?->onSubscriptionCount($channel, $count);
    }

    /**
     * The application of a route, or else the default, if it asks for such events.
     *
     * @template T of Application
     *
     * @param class-string<T> $interface
     *
     * @return T|null
     */
    private function onRoute(string $route, string $interface): ?Application
    {
        $application = $this->routes[$route] ?? $this->default;

        return $application instanceof $interface ? $application : null;
    }

    /**
     * @param list<Application>           $applications
     * @param \Closure(Application): void $tell
     */
    private static function tell(array $applications, \Closure $tell): void
    {
        $failure = null;
        foreach ($applications as $application) {
            try {
                $tell($application);
            } catch (\Throwable $error) {
                // The others hear of it all the same.
                $failure ??= $error;
            }
        }
        if ($failure !== null) {
            throw $failure;
        }
    }

    /** @return list<Application> those that a channel of the member's route may concern */
    private function of(Member $member): array
    {
        return self::unique([...array_values($this->subprotocols), $this->routes[$member->route] ?? $this->default]);
    }

    /** @return list<Application> each once */
    private function everyone(): array
    {
        return self::unique([...array_values($this->subprotocols), ...array_values($this->routes), $this->default]);
    }

    /**
     * @param list<Application|null> $applications
     *
     * @return list<Application>
     */
    private static function unique(array $applications): array
    {
        $everyone = [];
        foreach ($applications as $application) {
            if ($application !== null && !in_array($application, $everyone, true)) {
                $everyone[] = $application;
            }
        }

        return $everyone;
    }

    /** The connection's application; where there is none, the connection is closed. */
    private function applicationOf(Connection $connection): ?Application
    {
        $application = $this->find($connection);
        if ($application === null) {
            $connection->close(1008, 'no application for this route and sub-protocol');
        }

        return $application;
    }

    private function find(Connection $connection): ?Application
    {
        if ($this->subprotocols !== []) {
            $application = $this->subprotocols[$connection->subprotocol ?? ''] ?? null;
            if ($application !== null) {
                return $application;
            }
        }

        return $this->routes[$connection->route] ?? $this->default;
    }
}
