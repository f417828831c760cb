<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use Illuminate\Contracts\Foundation\Application;
use Illuminate\Support\Facades\Facade;
use Illuminate\Support\Str;
use Illuminate\Support\Testing\Fakes\EventFake;
use Monolog\ResettableInterface;

/**
 * One application for many events, of which none sees what another one has left behind.
 *
 * After each event the container, the configuration, the listeners, the URL generator and what views share are as they were before the
 * first. Services that were made in an event are gone. Services that were made before stay, and forget whose event it was: who is signed
 * in, the session, cookies, the locale, the context of log records, open transactions.
 */
final class Sandbox
{
    /** These two are not in Laravel 10. */
    private const DEFERRED = 'Illuminate\Support\Defer\DeferredCallbackCollection';
    private const ONCE = 'Illuminate\Support\Once';

    /** @var list<Snapshot> */
    private array $snapshots = [];

    private string $locale;

    private string $fallbackLocale;

    private readonly bool $hasOnce;

    /** @var array<string, mixed> the configuration of each database */
    private array $databases;

    /** @var array<string, mixed> the configuration of caches */
    private array $caches;

    /** @var array<string, int> how many transactions were open before the event, by connection */
    private array $transactions = [];

    /**
     * @param bool $inTest the application is that of a test: what the test has set up before an event stays, such as fakes, a transaction
     *                     around the test, and scoped services
     */
    public function __construct(private readonly Application $app, private readonly bool $inTest = false)
    {
        foreach ((array) $app->make('config')->get('frankenphp-ws.warm', []) as $service) {
            if ($app->bound($service)) {
                $app->make($service);
            }
        }
        $this->hasOnce = class_exists(self::ONCE);
        if (!$inTest) {
            $app->forgetScopedInstances();
        }
        $this->remember();
    }

    /**
     * @template T
     *
     * @param \Closure(Application): T                      $event
     * @param (\Closure(Application, \Throwable): void)|null $report is told what fails of that which waited for the end of the event
     *
     * @return T
     */
    public function run(\Closure $event, ?\Closure $report = null): mixed
    {
        if ($this->inTest) {
            $this->remember();
        }
        $this->begin();
        $succeeded = false;
        try {
            $result = $event($this->app);
            $succeeded = true;

            return $result;
        } finally {
            $this->end($succeeded, $report ?? static fn () => null);
        }
    }

    /** What is to be after each event. */
    private function remember(): void
    {
        $config = $this->app->make('config');
        $this->locale = $this->app->getLocale();
        $this->fallbackLocale = $this->app->getFallbackLocale();
        $this->databases = (array) $config->get('database.connections', []);
        $this->caches = (array) $config->get('cache', []);
        $this->snapshots = [];
        // The users of a test are those of its requests.
        foreach (array_filter(['url', 'view', ...($this->inTest ? ['auth'] : [])], $this->app->resolved(...)) as $service) {
            $this->snapshots[] = new Snapshot($this->app->make($service));
        }
        $events = $this->app->make('events');
        // A fake remembers what the test asks it about; the listeners are behind it.
        foreach ([$this->app, $config, $events instanceof EventFake ? $events->dispatcher : $events] as $object) {
            $this->snapshots[] = new Snapshot($object);
        }
    }

    private function begin(): void
    {
        foreach ((array) $this->app->make('config')->get('frankenphp-ws.flush', []) as $service) {
            $this->app->forgetInstance($this->app->getAlias($service));
        }
        if ($this->inTest) {
            $this->with('auth', static fn (object $auth) => $auth->forgetGuards());
        }
        $this->transactions = [];
        $this->with('db', function (object $database): void {
            foreach ($database->getConnections() as $name => $connection) {
                $this->transactions[$name] = $connection->transactionLevel();
            }
        });
        // There is no request, but code that asks for one finds an empty one, and may put something into it.
        if ($this->app->bound('request')) {
            $this->app->instance('request', clone $this->app->make('request'));
        }
        // They may have services of before, which are made anew.
        Facade::clearResolvedInstances();
    }

    /**
     * Whatever one step throws, the others are done.
     *
     * @param \Closure(Application, \Throwable): void $report
     */
    private function end(bool $succeeded, \Closure $report): void
    {
        // What defer() of Laravel 11 has kept, as the end of a request carries it out.
        $deferred = fn () => $this->with(self::DEFERRED, static fn (object $callbacks) => $callbacks->invokeWhen(
            static fn (object $callback): bool => $succeeded || $callback->always,
        ));
        $failures = self::each([$deferred, fn () => $this->app->terminate()]);
        foreach ($failures as $failure) {
            $report($this->app, $failure);
        }
        $restore = function (): void {
            foreach ($this->snapshots as $snapshot) {
                $snapshot->restore();
            }
        };
        $failures = [...$failures, ...self::each([...$this->forgetting(), $restore, Facade::clearResolvedInstances(...)])];
        if ($failures !== []) {
            throw $failures[0];
        }
    }

    /**
     * @param list<\Closure(): mixed> $steps
     *
     * @return list<\Throwable>
     */
    private static function each(array $steps): array
    {
        $failures = [];
        foreach ($steps as $step) {
            try {
                $step();
            } catch (\Throwable $error) {
                $failures[] = $error;
            }
        }

        return $failures;
    }

    /** @return list<\Closure(): mixed> what services that stay have in them of this event */
    private function forgetting(): array
    {
        return [
            fn () => $this->with('db', $this->forgetQueries(...)),
            fn () => $this->with('auth', static fn (object $auth) => $auth->forgetGuards()),
            fn () => $this->with('session', static fn (object $session) => $session->forgetDrivers()),
            fn () => $this->with('cookie', static fn (object $cookies) => $cookies->flushQueuedCookies()),
            fn () => $this->with('log', self::forgetContext(...)),
            fn () => $this->with('cache', $this->forgetStores(...)),
            fn () => $this->with('view', static fn (object $views) => $views->flushState()),
            fn () => $this->with('translator', $this->forgetLocale(...)),
            // Caches that would grow with each text that clients send.
            Str::flushCache(...),
            fn () => $this->hasOnce && (self::ONCE)::flush(),
        ];
    }

    private function forgetQueries(object $database): void
    {
        $configured = (array) $this->app->make('config')->get('database.connections', []);
        foreach ($database->getConnections() as $name => $connection) {
            $connection->flushQueryLog();
            $connection->forgetRecordModificationState();
            $connection->resetTotalQueryDuration();
            $connection->allowQueryDurationHandlersToRunAgain();
            try {
                // A transaction that a handler has left open belongs to nobody, and holds locks.
                $connection->rollBack($this->transactions[$name] ?? 0);
            } catch (\Throwable) {
                // Where it cannot be rolled back, it ends with the connection.
                $database->purge($name);
            }
            // To another database, such as that of one customer: the next event means its own.
            [$base] = explode('::', $name, 2);
            if (($configured[$base] ?? null) !== ($this->databases[$base] ?? null)) {
                $database->purge($name);
            }
        }
    }

    private static function forgetContext(object $log): void
    {
        $log->flushSharedContext();
        foreach ($log->getChannels() as $channel) {
            $channel->withoutContext();
            $logger = $channel->getLogger();
            // What handlers and processors keep of one request: buffers, the id of the request.
            if ($logger instanceof ResettableInterface) {
                $logger->reset();
            }
        }
    }

    private function forgetStores(object $cache): void
    {
        $configured = (array) $this->app->make('config')->get('cache', []);
        foreach ((array) ($configured['stores'] ?? []) as $name => $store) {
            if ($configured !== $this->caches) {
                // Such as the prefix of one customer: the next event means its own.
                $cache->forgetDriver($name);
            } elseif (!$this->inTest && ($store['driver'] ?? null) === 'array') {
                // It is in the memory of this thread. In a test it stands for one that stays.
                $cache->store($name)->getStore()->flush();
            }
        }
    }

    private function forgetLocale(object $translator): void
    {
        if ($this->app->getLocale() !== $this->locale) {
            // As the event has set it: listeners such as Carbon's are told.
            $this->app->setLocale($this->locale);
        }
        $translator->setLocale($this->locale);
        $translator->setFallback($this->fallbackLocale);
        $translator->flushParsedKeys();
    }

    /** @param \Closure(object): mixed $do */
    private function with(string $service, \Closure $do): void
    {
        if ($this->app->resolved($service) && !($object = $this->app->make($service)) instanceof \Mockery\LegacyMockInterface) {
            $do($object);
        }
    }
}
