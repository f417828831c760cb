<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use FrankenPHP\WebSocket\Cause;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Server;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Contracts\Foundation\Application;

/** The loop of a worker that has a Laravel application for its events. */
final class Worker
{
    /**
     * Serves events until FrankenPHP wants the worker script to end. The application is started once on each thread.
     *
     * @param string $bootstrap the file bootstrap/app.php of the application
     *
     * @throws ConfigurationException when the file is none of an application
     */
    public static function run(string $bootstrap): void
    {
        try {
            $application = new EventApplication(new Sandbox(self::start($bootstrap)));
        } catch (\Throwable $error) {
            // Laravel has its own handler by now, which answers a request that is not there.
            error_log('The Laravel application of a WebSocket worker did not start: ' . Cause::of($error));
            throw $error;
        }
        Server::run($application);
    }

    private static function start(string $bootstrap): Application
    {
        if (!is_file($bootstrap)) {
            throw new ConfigurationException("there is no file $bootstrap: the worker needs the bootstrap/app.php of a Laravel application");
        }
        $app = require $bootstrap;
        if (!$app instanceof Application) {
            throw new ConfigurationException("$bootstrap must return a Laravel application, not " . get_debug_type($app));
        }
        // Not the kernel for HTTP: there is no request.
        $app->make(Kernel::class)->bootstrap();

        return $app;
    }
}
