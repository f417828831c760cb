<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Console;

use FrankenPHP\WebSocket\Laravel\WebSocketServiceProvider;
use Illuminate\Console\Command;
use Illuminate\Filesystem\Filesystem;
use Illuminate\Support\Str;

/** Writes what a site needs. It can be run again: what is there already is kept, unless its user says otherwise. */
final class InstallCommand extends Command
{
    private const STUBS = __DIR__ . '/../../stubs';

    protected $signature = 'frankenphp-ws:install
        {--force : overwrite without asking}
        {--octane : a Caddyfile for octane:frankenphp --caddyfile}
        {--no-octane : a Caddyfile for frankenphp run}';

    protected $description = 'Write the configuration, a Caddyfile, the worker and the keys of .env';

    public function handle(Filesystem $files): int
    {
        $octane = $this->isForOctane();
        $this->write($files, $this->laravel->configPath('frankenphp-ws.php'), $files->get(WebSocketServiceProvider::CONFIG));
        $this->write($files, $this->laravel->basePath('frankenphp-ws-worker.php'), $files->get(self::STUBS . '/worker.php'));
        $this->write($files, $this->laravel->basePath('Caddyfile'), $files->get(self::STUBS . ($octane ? '/Caddyfile.octane' : '/Caddyfile')));
        $this->environment($files);
        $this->components->info('Start the server:');
        // A line of its own, without a full stop: it is copied.
        $this->line('  ' . ($octane ? 'php artisan octane:frankenphp --caddyfile=Caddyfile' : 'grep ^REVERB_APP_ .env | frankenphp run --envfile /dev/stdin'));

        return self::SUCCESS;
    }

    private function isForOctane(): bool
    {
        return match (true) {
            (bool) $this->option('octane') => true,
            (bool) $this->option('no-octane') => false,
            default => class_exists('Laravel\Octane\Octane'),
        };
    }

    private function write(Filesystem $files, string $path, string $text): void
    {
        $name = $this->shown($path);
        if ($files->exists($path)) {
            if ($files->get($path) === $text) {
                $this->components->twoColumnDetail($name, 'is as it should be');

                return;
            }
            if (!$this->option('force') && !$this->confirm("$name is there already, and is another. Overwrite it?", false)) {
                $this->components->twoColumnDetail($name, 'kept');

                return;
            }
        }
        $files->ensureDirectoryExists(dirname($path));
        $files->put($path, $text);
        $this->components->twoColumnDetail($name, 'written');
    }

    private function environment(Filesystem $files): void
    {
        $path = $this->laravel->environmentFilePath();
        $before = $files->exists($path) ? $files->get($path) : '';
        $env = new EnvFile($before);
        foreach ($this->application($env) as $key => $value) {
            if ($env->get($key) === null) {
                $env->set($key, $value);
            }
        }
        $this->choose($env);
        if ($env->text() !== $before) {
            $files->put($path, $env->text());
        }
        $this->components->twoColumnDetail($this->shown($path), $env->text() === $before ? 'is as it should be' : 'written');
    }

    /**
     * What is written where it is missing. The pages of a site that was made for Pusher know its key: so it stays.
     *
     * @return array<string, string>
     */
    private function application(EnvFile $env): array
    {
        $made = [
            'REVERB_APP_ID' => (string) random_int(100000, 999999),
            'REVERB_APP_KEY' => Str::lower(Str::random(20)),
            'REVERB_APP_SECRET' => Str::lower(Str::random(20)),
        ];
        $ofReverb = array_filter(array_map($env->get(...), array_keys($made)));
        $ofPusher = array_filter(array_map($env->get(...), ['PUSHER_APP_ID', 'PUSHER_APP_KEY', 'PUSHER_APP_SECRET']));

        return $ofReverb === [] && count($ofPusher) === 3 ? array_combine(array_keys($made), $ofPusher) : $made;
    }

    /** Makes ours the broadcaster of the site. A site that began with Laravel 10 may have the old name, or both. */
    private function choose(EnvFile $env): void
    {
        $there = array_filter(['BROADCAST_CONNECTION', 'BROADCAST_DRIVER'], static fn (string $key): bool => $env->get($key) !== null);
        foreach ($there ?: [version_compare($this->laravel->version(), '11', '<') ? 'BROADCAST_DRIVER' : 'BROADCAST_CONNECTION'] as $key) {
            $now = $env->get($key);
            if ($now === 'frankenphp') {
                continue;
            }
            // What Laravel comes with is nobody's choice.
            if (in_array($now, [null, 'log', 'null'], true) || $this->option('force') || $this->confirm("$key is $now. Make it frankenphp?", false)) {
                $env->set($key, 'frankenphp');

                continue;
            }
            $this->components->twoColumnDetail($key, "stays $now: broadcasts do not go this way");
        }
    }

    private function shown(string $path): string
    {
        return Str::after($path, $this->laravel->basePath() . DIRECTORY_SEPARATOR);
    }
}
