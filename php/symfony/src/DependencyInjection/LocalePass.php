<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\DependencyInjection;

use FrankenPHP\WebSocket\Symfony\EventReset;
use Symfony\Component\DependencyInjection\Argument\IteratorArgument;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\ContainerInterface;
use Symfony\Component\DependencyInjection\Reference;

/**
 * Which services have a locale that an event may leave changed.
 *
 * @internal
 */
final class LocalePass implements CompilerPassInterface
{
    /** It is reset as other services are. */
    private const SWITCHER = 'translation.locale_switcher';

    public function process(ContainerBuilder $container): void
    {
        $services = array_filter(
            array_keys($container->findTaggedServiceIds('kernel.locale_aware')),
            static fn (string $id): bool => $id !== self::SWITCHER && !$container->getDefinition($id)->isAbstract(),
        );
        $container->getDefinition(EventReset::class)->setArgument(1, new IteratorArgument(array_map(
            static fn (string $id): Reference => new Reference($id, ContainerInterface::IGNORE_ON_UNINITIALIZED_REFERENCE),
            array_values($services),
        )));
    }
}
