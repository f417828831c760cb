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
        $dispatcher = new Dispatcher($application, $logger);
        $dispatcher->start();
        $handler = static function () use ($dispatcher): void {
            while (($event = \frankenphp_ws_nextEvent()) !== null) {
                $dispatcher->dispatch($event);
            }
        };
        while (\frankenphp_handle_request($handler)) {
        }
    }
}
