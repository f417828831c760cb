<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\PusherApplication;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;

/** Answers what clients of the Pusher protocol do. */
#[AsWebSocketHandler(route: 'pusher')]
final class Listener implements PusherApplication
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

    public function onClientEvent(Subscriber $subscriber, string $event, string $data): void
    {
        $subscriber->publish('heard', $data);
    }
}
