<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Member;
use FrankenPHP\WebSocket\PresenceApplication;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;
use FrankenPHP\WebSocket\Symfony\Messenger\Publish;
use FrankenPHP\WebSocket\Symfony\Security\SecurityUsers;
use FrankenPHP\WebSocket\Timer;
use FrankenPHP\WebSocket\TimerApplication;
use Symfony\Component\Messenger\MessageBusInterface;

#[AsWebSocketHandler(route: 'chat')]
final class Chat implements PresenceApplication, TimerApplication
{
    use HandlerDefaults;

    public function __construct(private readonly Basket $basket, private readonly SecurityUsers $users, private readonly Publisher $publisher, private readonly MessageBusInterface $bus)
    {
    }

    public function onOpen(Connection $connection): void
    {
        $connection->tag('room');
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        if ($data === 'throw') {
            throw new \DomainException('not in this shop');
        }
        if ($data === 'publish') {
            $this->publisher->publish('news', 'said', ['by' => $connection->user()]);
        }
        if ($data === 'later') {
            $this->bus->dispatch(new Publish('news', 'said'));
        }
        $user = $this->users->of($connection);
        $connection->send("$data, basket {$this->basket->count()}, user " . ($user === null ? 'nobody' : implode(' ', $user->getRoles())));
        $this->basket->add($data);
    }

    public function onError(Connection $connection, \Throwable $error): void
    {
        $connection->send("Sorry: {$error->getMessage()}");
    }

    public function onJoin(Member $member): void
    {
        $member->channel()->send("$member->user is in");
    }

    public function onLeave(Member $member): void
    {
        $member->channel()->send("$member->user is out");
    }

    public function onTimer(Timer $timer): void
    {
        \FrankenPHP\WebSocket\Clients::tagged('room')->send($timer->payload);
    }
}
