<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Testing;

use FrankenPHP\WebSocket\Pusher\Message;
use FrankenPHP\WebSocket\Pusher\Publisher;
use Illuminate\Container\Container;
use PHPUnit\Framework\Assert;

/**
 * Remembers what would have been published.
 *
 *     $published = WebSocket::fake();
 *     $this->post('/orders/7/pay');
 *     $published->assertPublished('order.paid', fn (array $data, Message $message) => $data['id'] === 7);
 *     $published->assertPublishedTo('private-orders.7', OrderPaid::class);
 */
final class PublisherFake extends Publisher
{
    /** @var list<Message> */
    private array $messages = [];

    public function __construct()
    {
        parent::__construct(static fn () => throw new \LogicException('bug: the fake sends nothing'));
    }

    /**
     * The messages with an event, and what the function says yes to.
     *
     * @param string                                $event the name; of an event class without broadcastAs(), the class
     * @param (\Closure(mixed, Message): bool)|null $where gets the data, decoded, and the message
     *
     * @return list<Message>
     */
    public function published(string $event, ?\Closure $where = null): array
    {
        return array_values(array_filter($this->messages, static fn (Message $message): bool => $message->event === $event
            && ($where === null || $where(json_decode($message->data, true), $message))));
    }

    /** @param (\Closure(mixed, Message): bool)|null $where */
    public function assertPublished(string $event, ?\Closure $where = null): void
    {
        Assert::assertNotSame([], $this->published($event, $where), "The event [$event] was not published" . ($where === null ? '' : ' as it should have been') . $this->others());
    }

    public function assertPublishedTimes(string $event, int $times): void
    {
        Assert::assertCount($times, $this->published($event), "The event [$event] was published another number of times" . $this->others());
    }

    /** @param (\Closure(mixed, Message): bool)|null $where */
    public function assertNotPublished(string $event, ?\Closure $where = null): void
    {
        Assert::assertSame([], $this->published($event, $where), "The event [$event] was published.");
    }

    /** @param string|null $event null: any */
    public function assertPublishedTo(string $channel, ?string $event = null): void
    {
        $found = array_filter($this->messages, static fn (Message $message): bool => in_array($channel, $message->channels, true) && ($event === null || $message->event === $event));
        Assert::assertNotSame([], $found, ($event === null ? 'Nothing' : "The event [$event]") . ($event === null ? ' was' : ' was not') . " published to [$channel]" . $this->others());
    }

    /** The event went to all but the one who caused it, as after toOthers(). */
    public function assertPublishedToOthers(string $event, string $socketId): void
    {
        $this->assertPublished($event, static fn (mixed $data, Message $message): bool => $message->exceptSocketId === $socketId);
    }

    public function assertNothingPublished(): void
    {
        Assert::assertSame([], $this->messages, 'Something was published' . $this->others());
    }

    public function way(): string
    {
        return 'nowhere: this is a fake';
    }

    protected function send(Message $message): void
    {
        $this->messages[] = $message;
    }

    private function others(): string
    {
        $lines = array_map(static fn (Message $message): string => "\n  $message->event to " . implode(', ', $message->channels), $this->messages);

        return $lines === [] ? '. Nothing was published.' . self::hint() : '. Published was:' . implode('', $lines);
    }

    /** The phpunit.xml that Laravel comes with has all broadcasts go nowhere. */
    private static function hint(): string
    {
        $config = Container::getInstance()->make('config');
        $connection = (string) $config->get('broadcasting.default');

        return $config->get("broadcasting.connections.$connection.driver") === 'frankenphp' ? '' : " Broadcasts go by the connection \"$connection\" here, whose driver is not \"frankenphp\": does phpunit.xml set BROADCAST_CONNECTION?";
    }
}
