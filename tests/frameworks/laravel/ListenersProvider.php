<?php

declare(strict_types=1);

namespace Tests\Laravel;

use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Laravel\Events\CacheMissed;
use FrankenPHP\WebSocket\Laravel\Events\ChannelOccupied;
use FrankenPHP\WebSocket\Laravel\Events\ChannelSubscribed;
use FrankenPHP\WebSocket\Laravel\Events\ChannelUnsubscribed;
use FrankenPHP\WebSocket\Laravel\Events\ChannelVacated;
use FrankenPHP\WebSocket\Laravel\Events\ClientConnected;
use FrankenPHP\WebSocket\Laravel\Events\ClientEventSent;
use FrankenPHP\WebSocket\Laravel\Events\ListenerFailed;
use FrankenPHP\WebSocket\Laravel\Events\MemberJoined;
use FrankenPHP\WebSocket\Laravel\Events\MessageReceived;
use FrankenPHP\WebSocket\Laravel\Events\SubscribersCounted;
use FrankenPHP\WebSocket\Laravel\Facades\WebSocket;
use Illuminate\Auth\GenericUser;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\ServiceProvider;

/** Listeners that leave behind what they can, and tell what they find. */
final class ListenersProvider extends ServiceProvider
{
    public function boot(): void
    {
        $this->app->singleton('basket', static fn (): \ArrayObject => new \ArrayObject());
        Event::listen(static function (ClientConnected $event): void {
            parse_str((string) $event->connection->query, $query);
            $event->connection->setUser($query['user']);
            $event->connection->tag('room');
        });
        Event::listen(static fn (MemberJoined $event) => Clients::tagged('room')->send("{$event->member->user} is in"));
        Event::listen(static function (MessageReceived $event): void {
            if ($event->data === 'throw') {
                throw new \DomainException('not in this shop');
            }
            $event->connection->send("$event->data, locale " . app()->getLocale() . ', basket ' . count(app('basket')) . ', user ' . (Auth::id() ?? 'nobody'));
            app()->setLocale('de');
            app('basket')->append(1);
            Auth::setUser(new GenericUser(['id' => 5]));
        });
        Event::listen(static fn (ChannelSubscribed $event) => $event->subscriber->publish('came', json_encode($event->subscriber->user, JSON_THROW_ON_ERROR), others: true));
        Event::listen(static fn (ChannelUnsubscribed $event) => $event->subscriber->publish('went', json_encode($event->subscriber->user, JSON_THROW_ON_ERROR)));
        Event::listen(static fn (ClientEventSent $event) => $event->subscriber->publish('heard', json_encode([$event->event, $event->json()], JSON_THROW_ON_ERROR)));
        $log = static fn (string $event, Channel $channel) => WebSocket::publish('private-log', $event, $channel->name);
        Event::listen(static fn (ChannelOccupied $event) => $log('occupied', $event->channel));
        Event::listen(static fn (ChannelVacated $event) => $log('vacated', $event->channel));
        Event::listen(static fn (SubscribersCounted $event) => $event->count === 0 ? $log('empty', $event->channel) : 0);
        Event::listen(static fn (CacheMissed $event) => $event->channel->publish('state', '"missed"'));
        Event::listen(static fn (ListenerFailed $event) => $event->connection->send("Sorry: {$event->error->getMessage()}"));
    }
}
