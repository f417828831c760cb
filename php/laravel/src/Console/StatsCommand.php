<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\AdminException;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use Illuminate\Console\Command;

/** The counters of the server. */
final class StatsCommand extends Command
{
    protected $signature = 'frankenphp-ws:stats {--json : as JSON}';

    protected $description = 'Show the counters of the WebSocket server';

    public function handle(): int
    {
        try {
            $stats = $this->laravel->make(AdminApi::class)->stats();
        } catch (AdminException|ConfigurationException $error) {
            $this->components->error($error->getMessage());

            return self::FAILURE;
        }
        if ($this->option('json')) {
            $this->line(json_encode($stats, JSON_THROW_ON_ERROR | JSON_PRETTY_PRINT));

            return self::SUCCESS;
        }
        foreach ($stats as $name => $value) {
            $this->components->twoColumnDetail($name, is_int($value) || is_float($value) || is_string($value) ? (string) $value : json_encode($value, JSON_THROW_ON_ERROR));
        }

        return self::SUCCESS;
    }
}
