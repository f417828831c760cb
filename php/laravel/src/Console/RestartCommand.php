<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\AdminException;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use Illuminate\Console\Command;

/** After a deployment: workers keep the code that they started with. */
final class RestartCommand extends Command
{
    protected $signature = 'frankenphp-ws:restart';

    protected $description = 'Start the workers again with the code that is there now; no client is disconnected';

    public function handle(): int
    {
        try {
            $this->laravel->make(AdminApi::class)->restartWorkers();
        } catch (AdminException|ConfigurationException $error) {
            $this->components->error($error->getMessage());

            return self::FAILURE;
        }
        $this->components->info('The workers have been started again.');

        return self::SUCCESS;
    }
}
