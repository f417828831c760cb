<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use Illuminate\Contracts\Foundation\Application;
use Illuminate\Support\Facades\Facade;

/**
 * One application for many events, of which none sees what another one has left behind.
 *
 * After each event the container, the configuration, the listeners and the URL generator are as they were before the first. Services that
 * were made in an event are gone. Services that were made before stay, and forget whose event it was: who is signed in, the session, cookies,
 * the locale, the context of log records, open transactions.
 */
final class Sandbox
{
    /** Not in Laravel 10. */
    private const DEFERRED = 'Illuminate\Support\Defer\DeferredCallbackCollection';

    /** @var list<Snapshot> */
    private array $snapshots = [];

    /** @var list<string> */
    private readonly array $flush;

    private readonly string $locale;

    public function __construct(private readonly Application $app)
    {
        $config = $app->make('config');
        foreach ((array) $config->get('frankenphp-ws.warm', []) as $service) {
            if ($app->bound($service)) {
                $app->make($service);
            }
        }
        $this->locale = $app->getLocale();
        $this->flush = array_values((array) $config->get('frankenphp-ws.flush', []));
        foreach ([$app, $config, $app->make('events'), ...($app->resolved('url') ? [$app->make('url')] : [])] as $object) {
            $this->snapshots[] = new Snapshot($object);
        }
    }

    /**
     * @template T
     *
     * @param \Closure(Application): T $event
     *
     * @return T
     */
    public function run(\Closure $event): mixed
    {
        foreach ($this->flush as $service) {
            $this->app->forgetInstance($service);
        }
        $succeeded = false;
        try {
            $result = $event($this->app);
            $succeeded = true;

            return $result;
        } finally {
            $this->end($succeeded);
        }
    }

    private function end(bool $succeeded): void
    {
        try {
            // What defer() of Laravel 11 has kept, as the end of a request carries it out.
            $this->with(self::DEFERRED, static fn (object $callbacks) => $callbacks->invokeWhen(
                static fn (object $callback): bool => $succeeded || $callback->always,
            ));
            $this->app->terminate();
        } finally {
            $this->forget();
            foreach ($this->snapshots as $snapshot) {
                $snapshot->restore();
            }
            Facade::clearResolvedInstances();
        }
    }

    /** What services that stay have in them of this event. */
    private function forget(): void
    {
        $this->with('db', static function (object $database): void {
            foreach ($database->getConnections() as $connection) {
                // A transaction that a handler has left open belongs to nobody, and holds locks.
                $connection->rollBack(0);
                $connection->flushQueryLog();
            }
        });
        $this->with('auth', static fn (object $auth) => $auth->forgetGuards());
        $this->with('session', static fn (object $session) => $session->forgetDrivers());
        $this->with('cookie', static fn (object $cookies) => $cookies->flushQueuedCookies());
        $this->with('log', static fn (object $log) => $log->flushSharedContext());
        $this->with('log', static function (object $log): void {
            foreach ($log->getChannels() as $channel) {
                $channel->withoutContext();
            }
        });
        $this->with('view', static fn (object $views) => $views->flushState());
        $this->with('translator', fn (object $translator) => $translator->setLocale($this->locale));
    }

    /** @param \Closure(object): mixed $do */
    private function with(string $service, \Closure $do): void
    {
        if ($this->app->resolved($service)) {
            $do($this->app->make($service));
        }
    }
}
