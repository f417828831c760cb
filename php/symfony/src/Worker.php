<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Server;
use Symfony\Component\HttpKernel\KernelInterface;

/** The loop of a worker that has a Symfony application for its events. */
final class Worker
{
    /**
     * Serves events until FrankenPHP wants the worker script to end. The kernel is started once on each thread.
     *
     * @throws ConfigurationException when the kernel does not have the bundle
     */
    public static function run(KernelInterface $kernel): void
    {
        $kernel->boot();
        $container = $kernel->getContainer();
        if (!$container->has(EventApplication::class)) {
            throw new ConfigurationException($kernel::class . ' does not have the bundle ' . FrankenPhpWebSocketBundle::class . ': add it to config/bundles.php');
        }
        /** @var EventApplication $application */
        $application = $container->get(EventApplication::class);
        Server::run($application);
    }
}
