<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Symfony\Messenger\Publish;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Messenger\MessageBusInterface;

final class Pages
{
    public function __construct(private readonly Publisher $publisher, private readonly MessageBusInterface $bus)
    {
    }

    public function pay(int $order): Response
    {
        $this->publisher->publish("private-orders.$order", 'order.paid', ['id' => $order]);

        return new Response('<html><body>paid</body></html>');
    }

    public function later(): Response
    {
        $this->bus->dispatch(new Publish('news', 'later', ['n' => 1], '1.2'));

        return new Response('later');
    }
}
