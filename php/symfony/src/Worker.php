<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\Cause;
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
        try {
            Server::run(self::start($kernel));
        } catch (\Throwable $error) {
            error_log('The Symfony application of a WebSocket worker did not start: ' . Cause::of($error));
            // Symfony has its own handler by now, which answers a request that is not there by a page.
            set_exception_handler(static function (): void {
            });
            throw $error;
        }
    }

    private static function start(KernelInterface $kernel): EventApplication
    {
        $kernel->boot();
        $container = $kernel->getContainer();
        if (!$container->has(EventApplication::class)) {
            throw new ConfigurationException($kernel::class . ' does not have the bundle ' . FrankenPhpWebSocketBundle::class . ': add it to config/bundles.php');
        }
        /** @var EventApplication $application */
        $application = $container->get(EventApplication::class);

        return $application;
    }
}
