<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** The loop of a WebSocket worker. */
final class Server
{
    /**
     * Serves events until FrankenPHP wants the worker script to end (restart, reload, shutdown).
     *
     * What a method of the application throws fails that one event and ends nothing.
     */
    public static function run(Application $application): void
    {
        $handler = static function () use ($application): void {
            while (($event = \frankenphp_ws_nextEvent()) !== null) {
                self::dispatch($application, $event);
            }
        };
        while (\frankenphp_handle_request($handler)) {
        }
    }

    /** @param array<string, mixed> $event */
    private static function dispatch(Application $application, array $event): void
    {
        $connection = new Connection(
            $event['id'],
            $event['route'],
            $event['path'] ?? null,
            $event['query'] ?? null,
            $event['headers'] ?? null,
            $event['cookies'] ?? null,
            $event['ip'] ?? null,
            $event['subprotocol'] ?? null,
        );
        try {
            match ($event['type']) {
                'open' => $application->onOpen($connection),
                'message' => $application->onMessage($connection, $event['data'], $event['binary']),
                'close' => $application->onClose($connection, $event['code'], $event['reason']),
                // An event type that this version does not know is not the application's business.
                default => null,
            };
        } catch (\Throwable $error) {
            self::fail($application, $connection, $error);
        }
    }

    private static function fail(Application $application, Connection $connection, \Throwable $error): void
    {
        $cause = self::describe($error);
        try {
            // Before the report: with `on_error close`, that is the last chance to tell the client anything.
            $application->onError($connection, $error);
        } catch (\Throwable $second) {
            $cause .= '; then onError threw ' . self::describe($second);
        }
        \frankenphp_ws_failEvent($cause);
    }

    private static function describe(\Throwable $error): string
    {
        return sprintf('%s: %s in %s:%d', $error::class, $error->getMessage(), $error->getFile(), $error->getLine());
    }
}
