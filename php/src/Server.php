<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** The loop of a WebSocket worker. */
final class Server
{
    /**
     * Serves events until FrankenPHP wants the worker script to end (restart, reload, shutdown).
     *
     * First it calls onStart() of an application that is a StartApplication. What another method of the application throws fails that
     * one event and ends nothing.
     *
     * @param Application                   $application several by route or sub-protocol: a Router
     * @param \Psr\Log\LoggerInterface|null $logger      where Connection::logger() writes; null: the server's log
     */
    public static function run(Application $application, ?\Psr\Log\LoggerInterface $logger = null): void
    {
        if (!\function_exists('frankenphp_handle_request')) {
            throw Caller::blame(new \LogicException('Server::run() is for worker scripts of FrankenPHP, and this is another PHP: for tests there is ' . Testing\FakeServer::class));
        }
        $dispatcher = new Dispatcher($application, $logger);
        $dispatcher->start();
        $handler = static function () use ($dispatcher): void {
            while (($event = \frankenphp_ws_nextEvent()) !== null) {
                $dispatcher->dispatch($event);
            }
        };
        try {
            while (\frankenphp_handle_request($handler)) {
            }
        } catch (\RuntimeException $error) {
            // FrankenPHP's own: this script is not a worker.
            throw Caller::blame($error);
        }
    }
}
