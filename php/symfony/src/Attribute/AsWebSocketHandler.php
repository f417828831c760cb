<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Attribute;

/**
 * Makes a service the handler of a route. It implements FrankenPHP\WebSocket\Application, and more of its interfaces where it wants to know more.
 *
 *     #[AsWebSocketHandler(route: 'chat')]
 *     final class Chat implements Application
 */
#[\Attribute(\Attribute::TARGET_CLASS | \Attribute::IS_REPEATABLE)]
final class AsWebSocketHandler
{
    /** @param string|null $route the name of the route, its option `name`, by default that of its worker; null: all that have no handler of their own */
    public function __construct(public readonly ?string $route = null)
    {
    }
}
