<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Messenger;

/**
 * A message for Messenger: publish this in the background.
 *
 *     $bus->dispatch(new Publish('private-orders.7', 'order.paid', ['id' => 7]));
 */
final class Publish
{
    /**
     * @param string|list<string> $channels
     * @param mixed               $data   is sent as JSON, so it must be serializable
     * @param string|null         $except the socket id of the connection that is left out
     */
    public function __construct(
        public readonly string|array $channels,
        public readonly string $event,
        public readonly mixed $data = [],
        public readonly ?string $except = null,
    ) {
    }
}
