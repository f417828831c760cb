<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

use FrankenPHP\WebSocket\Caller;
use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\Dispatcher;
use FrankenPHP\WebSocket\Subscriber;

/**
 * The events of the Pusher protocol. The fake server does not speak it: a test says what has happened.
 *
 *     $server->tellOfChannel('cache_miss', new Channel('1:cache-prices', 'app'));
 *     $server->tellOfSubscriber('subscribe', new Subscriber('1.2', 'app', '1:private-room', 'ann'));
 *
 * @internal a part of FakeServer
 */
trait PusherEvents
{
    /**
     * Something becomes of a channel, and the application is told, as in a worker that a `webhook` names.
     *
     * @param string $what  channel_occupied, channel_vacated, cache_miss or subscription_count
     * @param int    $count of subscribers, with subscription_count
     */
    public function tellOfChannel(string $what, Channel $channel, int $count = 0): void
    {
        $this->checkTold($what, Dispatcher::OF_CHANNELS, $channel->route);
        $event = ['type' => $what, 'route' => $channel->route, 'tag' => $channel->tag];
        $this->event(null, $what === 'subscription_count' ? $event + ['count' => $count] : $event);
    }

    /**
     * A client does something in a channel, and the application is told, as in the worker of the route.
     *
     * @param string $what  subscribe, unsubscribe or client_event
     * @param string $event the event's name, with client_event
     * @param string $data  its data, as JSON
     */
    public function tellOfSubscriber(string $what, Subscriber $subscriber, string $event = '', string $data = ''): void
    {
        $this->checkTold($what, Dispatcher::OF_SUBSCRIBERS, $subscriber->route);
        $of = ['type' => $what, 'id' => $subscriber->id, 'route' => $subscriber->route, 'tag' => $subscriber->tag, 'user' => $subscriber->user];
        $this->event(null, $of + match ($what) {
            'subscribe' => ['info' => $subscriber->info],
            'client_event' => ['event' => $event, 'data' => $data],
            default => [],
        });
    }

    /** @param list<string> $known */
    private function checkTold(string $what, array $known, string $route): void
    {
        if (!in_array($what, $known, true)) {
            throw Caller::blame(new \LogicException("there is no event \"$what\" here, only: " . implode(', ', $known)));
        }
        if (!in_array($route, $this->routes, true)) {
            throw Caller::blame(new \LogicException("the fake server has no route \"$route\", only: " . implode(', ', $this->routes)));
        }
    }
}
