<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\DependencyInjection;

use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Symfony\Controller\AuthorizeController;
use FrankenPHP\WebSocket\Symfony\Controller\PusherController;
use FrankenPHP\WebSocket\Symfony\Messenger\PublishHandler;
use FrankenPHP\WebSocket\Symfony\Profiler\PublishedMessages;
use FrankenPHP\WebSocket\Symfony\Profiler\TraceablePublisher;
use FrankenPHP\WebSocket\Symfony\Profiler\WebSocketCollector;
use FrankenPHP\WebSocket\Symfony\Security\CurrentUser;
use FrankenPHP\WebSocket\Symfony\Security\SecurityUsers;
use FrankenPHP\WebSocket\Symfony\Testing\RecordingTransport;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\ContainerInterface;
use Symfony\Component\DependencyInjection\Reference;

/**
 * Services that only applications with other bundles have.
 *
 * @internal
 */
final class OptionalServicesPass implements CompilerPassInterface
{
    public function process(ContainerBuilder $container): void
    {
        if ($container->has('security.token_storage')) {
            self::security($container);
        }
        if ($container->has('messenger.default_bus') || $container->has('message_bus')) {
            $container->register(PublishHandler::class)->setArguments([new Reference(Publisher::class)])->addTag('messenger.message_handler');
        }
        if ($container->getParameter('frankenphp_ws.record') === true) {
            $container->register(RecordingTransport::class)->setPublic(true)->setArguments([new Reference('kernel')]);
            $container->getDefinition(Publisher::class)->setArguments([new Reference(RecordingTransport::class)]);
        }
        if ($container->has('profiler')) {
            self::profiler($container);
        }
    }

    private static function security(ContainerBuilder $container): void
    {
        $current = new Reference(CurrentUser::class);
        $container->register(CurrentUser::class)->setArguments([new Reference('security.token_storage'), new Reference('security.authentication.trust_resolver')]);
        $container->register(AuthorizeController::class)->setPublic(true)->addTag('controller.service_arguments')
            ->setArguments([$current, '%frankenphp_ws.anonymous%']);
        $container->register(PusherController::class)->setPublic(true)->addTag('controller.service_arguments')
            ->setArguments([new Reference(Authorizer::class), $current, new Reference('security.authorization_checker')]);
        if ($container->has('security.user_providers')) {
            $container->register(SecurityUsers::class)->setArguments([new Reference('security.user_providers')]);
        }
    }

    private static function profiler(ContainerBuilder $container): void
    {
        $messages = new Reference(PublishedMessages::class);
        $container->register(PublishedMessages::class)->addTag('kernel.reset', ['method' => 'reset']);
        $container->register(TraceablePublisher::class)->setDecoratedService(Publisher::class)
            ->setArguments([new Reference(TraceablePublisher::class . '.inner'), $messages, new Reference('debug.stopwatch', ContainerInterface::NULL_ON_INVALID_REFERENCE)]);
        $container->register(WebSocketCollector::class)->setArguments([$messages])
            ->addTag('data_collector', ['id' => WebSocketCollector::class, 'template' => WebSocketCollector::getTemplate()]);
    }
}
