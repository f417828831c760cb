<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\Pusher\Publisher;
use Illuminate\Console\Events\CommandStarting;
use Illuminate\Contracts\Config\Repository;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Http\Client\Factory as Http;
use Illuminate\Support\ServiceProvider;

/** The broadcaster "frankenphp", the publisher behind it, and the artisan commands. */
final class WebSocketServiceProvider extends ServiceProvider
{
    public const CONFIG = __DIR__ . '/../config/frankenphp-ws.php';

    public function register(): void
    {
        $this->mergeConfigFrom(self::CONFIG, 'frankenphp-ws');
        $this->app->singleton(Settings::class);
        $this->app->singleton(Publisher::class, static fn (Application $app): Publisher => $app->make(Settings::class)->publisher());
        $this->app->bind(AdminApi::class, static fn (Application $app): AdminApi => new AdminApi(
            new LaravelHttpClient($app->make(Http::class), (float) $app->make('config')->get('frankenphp-ws.timeout', 5)),
            (string) $app->make('config')->get('frankenphp-ws.admin', 'localhost:2019'),
        ));
        $this->addConnection($this->app->make('config'));
        $this->callAfterResolving(\Illuminate\Contracts\Broadcasting\Factory::class, self::addDriver(...));
    }

    public function boot(): void
    {
        $this->publishes([self::CONFIG => $this->app->configPath('frankenphp-ws.php')], 'frankenphp-ws-config');
        $this->commands([Console\InstallCommand::class, Console\ClientsCommand::class, Console\StatsCommand::class, Console\RestartCommand::class]);
        $this->app->make('events')->listen(CommandStarting::class, $this->tellOctane(...));
    }

    /**
     * Octane takes the variables of .env out of the environment of the server that it starts, so that workers read the file anew. The
     * Caddyfile for Octane has these instead, which are in no .env.
     */
    private function tellOctane(CommandStarting $starting): void
    {
        if (!in_array($starting->command, ['octane:start', 'octane:frankenphp'], true)) {
            return;
        }
        foreach (['app_id' => 'FRANKENPHP_WS_APP_ID', 'key' => 'FRANKENPHP_WS_APP_KEY', 'secret' => 'FRANKENPHP_WS_APP_SECRET'] as $setting => $name) {
            $value = (string) $this->app->make('config')->get("frankenphp-ws.$setting");
            putenv("$name=$value");
            $_ENV[$name] = $value;
        }
    }

    /** So that BROADCAST_CONNECTION=frankenphp is all that a site needs. */
    private function addConnection(Repository $config): void
    {
        if (!$config->has('broadcasting.connections.frankenphp')) {
            $config->set('broadcasting.connections.frankenphp', ['driver' => 'frankenphp']);
        }
    }

    /** @param \Illuminate\Broadcasting\BroadcastManager $manager */
    private static function addDriver(object $manager): void
    {
        // Laravel 12 binds the function to its manager: so it is not static, and names nothing of this class.
        $make = self::broadcaster(...);
        $manager->extend('frankenphp', fn (Application $app, array $connection) => $make($app, $connection));
    }

    /** @param array<string, mixed> $connection */
    private static function broadcaster(Application $app, array $connection): FrankenPhpBroadcaster
    {
        $settings = $app->make(Settings::class);

        // The publisher is asked for at each broadcast, since a test may put a fake in its place at any time.
        return new FrankenPhpBroadcaster(
            static fn () => $settings->authorizer($connection),
            static fn () => $settings->publisher($connection),
            (bool) ($connection['jsonp'] ?? false),
        );
    }
}
