<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\ChannelApplication;
use FrankenPHP\WebSocket\PusherApplication;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;

/** Answers what clients of the Pusher protocol do. */
#[AsWebSocketHandler(route: 'pusher')]
final class Listener implements ChannelApplication, PusherApplication
{
    use HandlerDefaults;

    public function __construct(private readonly Basket $basket)
    {
    }

    public function onSubscribe(Subscriber $subscriber): void
    {
        $this->basket->add($subscriber->id);
        $subscriber->publish('came', json_encode([$subscriber->user, count($this->basket)], JSON_THROW_ON_ERROR));
    }

    public function onUnsubscribe(Subscriber $subscriber): void
    {
        $subscriber->publish('went', json_encode($subscriber->user, JSON_THROW_ON_ERROR));
    }

    public function onChannelOccupied(Channel $channel): void
    {
        self::log('occupied', $channel);
    }

    public function onChannelVacated(Channel $channel): void
    {
        self::log('vacated', $channel);
    }

    public function onCacheMiss(Channel $channel): void
    {
        $channel->publish('state', '"missed"');
    }

    public function onSubscriptionCount(Channel $channel, int $count): void
    {
        if ($count === 0) {
            self::log('empty', $channel);
        }
    }

    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void
    {
        $subscriber->publish('heard', $data);
    }

    private static function log(string $event, Channel $of): void
    {
        (new Channel('1:private-log', $of->route))->publish($event, json_encode($of->name, JSON_THROW_ON_ERROR));
    }
}
