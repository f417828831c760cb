<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Security;

/**
 * A channel of the Pusher protocol, about which voters are asked: may this user subscribe to it?
 *
 *     protected function supports(string $attribute, mixed $subject): bool
 *     {
 *         return $attribute === Channel::SUBSCRIBE && $subject instanceof Channel && str_starts_with($subject->name, 'private-orders.');
 *     }
 */
final class Channel
{
    public const SUBSCRIBE = 'WEBSOCKET_SUBSCRIBE';

    public function __construct(public readonly string $name)
    {
    }

    public function isPresence(): bool
    {
        return str_starts_with($this->name, 'presence-');
    }
}
