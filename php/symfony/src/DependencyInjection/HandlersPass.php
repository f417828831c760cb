<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\DependencyInjection;

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\EventApplication;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;
use Symfony\Component\DependencyInjection\ChildDefinition;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\Compiler\ServiceLocatorTagPass;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Exception\ParameterNotFoundException;
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
            if ($container->getDefinition($id)->isAbstract()) {
                // No service: others are made after it.
                continue;
            }
            self::check($container, $id);
            foreach ($tags as $tag) {
                $route = self::route($container, $id, $tag['route'] ?? null);
                if (isset($handlers[$route])) {
                    throw new ConfigurationException(($route === EventApplication::ALL ? 'all other routes have' : "the route \"$route\" has") . " two handlers, {$handlers[$route]} and $id: give #[" . AsWebSocketHandler::class . '] of one of them another route');
                }
                $handlers[$route] = new Reference($id);
            }
        }
        $container->getDefinition(EventApplication::class)->setArgument(0, ServiceLocatorTagPass::register($container, $handlers));
    }

    /** @throws ConfigurationException when the service is no handler */
    private static function check(ContainerBuilder $container, string $id): void
    {
        [$class, $isMade] = self::classOf($container, $id);
        $named = $class === $id ? $class : "$class, the class of the service \"$id\",";
        if (!class_exists($class) && !interface_exists($class)) {
            throw new ConfigurationException(($class === $id ? "the service \"$id\"" : $named) . ' has #[AsWebSocketHandler] or the tag ' . self::TAG . ', and there is no such class: give the service its `class`');
        }
        if (!is_a($class, Application::class, true)) {
            throw new ConfigurationException("$named has #[AsWebSocketHandler], so it must implement " . Application::class . '; the trait ' . HandlerDefaults::class . ' has the methods that you do not need');
        }
        if (!$isMade && !(new \ReflectionClass($class))->isInstantiable()) {
            throw new ConfigurationException("$named has #[AsWebSocketHandler], and no object can be made of it: put the attribute on a class that is not abstract and has a public constructor");
        }
    }

    /** @return array{string, bool} the class, and whether something else than `new` makes the service. A child has it from its parent. */
    private static function classOf(ContainerBuilder $container, string $id): array
    {
        $class = null;
        $isMade = false;
        $definition = $container->getDefinition($id);
        for (;;) {
            $class ??= $definition->getClass();
            $isMade = $isMade || $definition->getFactory() !== null || $definition->isSynthetic();
            if (!$definition instanceof ChildDefinition || !$container->has($definition->getParent())) {
                break;
            }
            $definition = $container->findDefinition($definition->getParent());
        }

        return [(string) $container->getParameterBag()->resolveValue($class ?? $id), $isMade];
    }

    private static function route(ContainerBuilder $container, string $id, mixed $route): string
    {
        try {
            // Of the attribute it comes as it is written.
            $route = $container->getParameterBag()->resolveValue($route);
        } catch (ParameterNotFoundException $error) {
            $error->setSourceId($id);
            throw $error;
        }
        if ($route === null) {
            return EventApplication::ALL;
        }
        $route = is_int($route) ? (string) $route : $route;
        if (!is_string($route) || $route === EventApplication::ALL) {
            throw new ConfigurationException("the route of the handler $id is " . ($route === '' ? 'empty' : 'no text, but ' . get_debug_type($route)) . ': it must be the name of a route; without it the handler is for all routes that have none of their own');
        }

        return $route;
    }
}
