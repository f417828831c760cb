<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\DependencyInjection;

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\EventApplication;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\Compiler\ServiceLocatorTagPass;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Reference;

/**
 * Gives each route its handler. What cannot work is said when the container is built.
 *
 * @internal
 */
final class HandlersPass implements CompilerPassInterface
{
    public const TAG = 'frankenphp_ws.handler';

    public function process(ContainerBuilder $container): void
    {
        $handlers = [];
        foreach ($container->findTaggedServiceIds(self::TAG) as $id => $tags) {
            $class = (string) $container->getParameterBag()->resolveValue($container->getDefinition($id)->getClass() ?? $id);
            if (!is_a($class, Application::class, true)) {
                throw new ConfigurationException("$class has #[AsWebSocketHandler], so it must implement " . Application::class . '; the trait ' . \FrankenPHP\WebSocket\Symfony\HandlerDefaults::class . ' has the methods that you do not need');
            }
            foreach ($tags as $tag) {
                $route = (string) ($tag['route'] ?? EventApplication::ALL);
                if (isset($handlers[$route])) {
                    throw new ConfigurationException(($route === EventApplication::ALL ? 'all other routes have' : "the route \"$route\" has") . " two handlers, {$handlers[$route]} and $id: give #[" . AsWebSocketHandler::class . '] of one of them another route');
                }
                $handlers[$route] = new Reference($id);
            }
        }
        $container->getDefinition(EventApplication::class)->setArgument(0, ServiceLocatorTagPass::register($container, $handlers));
    }
}
