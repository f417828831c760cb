<?php

declare(strict_types=1);

namespace Tests\Laravel;

use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;

/** A Laravel application in a folder of its own, into which Composer would have installed the package. */
final class Site
{
    public readonly string $folder;

    /** @param array<string, mixed> $broadcasting the file config/broadcasting.php */
    public function __construct(array $broadcasting = ['default' => 'frankenphp', 'connections' => []], string $env = "APP_URL=http://localhost\nREVERB_APP_ID=1\nREVERB_APP_KEY=key\nREVERB_APP_SECRET=secret\n")
    {
        $this->folder = sys_get_temp_dir() . '/fws-laravel-' . bin2hex(random_bytes(6));
        foreach (['app/Http', 'bootstrap/cache', 'config', 'public', 'routes', 'resources/views', 'storage/framework/views', 'storage/logs', 'vendor/composer'] as $folder) {
            mkdir("$this->folder/$folder", 0o700, true);
        }
        $this->write('.env', $env);
        $this->write('composer.json', '{"autoload":{"psr-4":{"App\\\\":"app/"}}}');
        $package = json_decode((string) file_get_contents(__DIR__ . '/../../../php/laravel/composer.json'), true, flags: JSON_THROW_ON_ERROR);
        $this->write('vendor/composer/installed.json', json_encode(['packages' => [$package]], JSON_THROW_ON_ERROR));
        $this->config('app', [
            'name' => 'Site', 'env' => 'testing', 'debug' => true, 'url' => 'http://localhost', 'locale' => 'en', 'fallback_locale' => 'en',
            'key' => 'base64:' . base64_encode(str_repeat('k', 32)), 'cipher' => 'AES-256-CBC', 'timezone' => 'UTC',
            'providers' => \Illuminate\Support\ServiceProvider::defaultProviders()->toArray(), 'aliases' => \Illuminate\Support\Facades\Facade::defaultAliases()->toArray(),
        ]);
        $this->config('broadcasting', $broadcasting);
        $this->config('auth', [
            'defaults' => ['guard' => 'web'],
            'guards' => ['web' => ['driver' => 'session', 'provider' => 'users']],
            'providers' => ['users' => ['driver' => 'database', 'table' => 'users']],
        ]);
        $this->config('session', ['driver' => 'array', 'lifetime' => 120, 'cookie' => 'site', 'path' => '/', 'lottery' => [0, 1], 'expire_on_close' => false, 'domain' => null, 'secure' => false, 'http_only' => true, 'same_site' => 'lax', 'files' => '']);
        $this->config('cache', ['default' => 'array', 'stores' => ['array' => ['driver' => 'array']], 'prefix' => '']);
        $this->config('database', ['default' => 'sqlite', 'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => ':memory:']], 'migrations' => 'migrations']);
        $this->config('queue', ['default' => 'database', 'connections' => [
            'sync' => ['driver' => 'sync'],
            'database' => ['driver' => 'database', 'table' => 'jobs', 'queue' => 'default', 'retry_after' => 90],
        ], 'failed' => ['driver' => 'null']]);
        $this->config('view', ['paths' => ["$this->folder/resources/views"], 'compiled' => "$this->folder/storage/framework/views"]);
        $this->config('logging', ['default' => 'file', 'channels' => ['file' => ['driver' => 'single', 'path' => "$this->folder/storage/logs/laravel.log"]]]);
        $this->config('hashing', ['driver' => 'bcrypt', 'bcrypt' => ['rounds' => 4]]);
    }

    /** The application, started as artisan starts it. */
    public function start(): Application
    {
        $app = self::application($this->folder);
        $app->make(Kernel::class)->bootstrap();

        return $app;
    }

    /** The application as bootstrap/app.php returns it. */
    public static function application(string $folder): Application
    {
        $app = new Application($folder);
        $app->singleton(Kernel::class, ConsoleKernel::class);
        $app->singleton(\Illuminate\Contracts\Http\Kernel::class, HttpKernel::class);
        $app->singleton(\Illuminate\Contracts\Debug\ExceptionHandler::class, \Illuminate\Foundation\Exceptions\Handler::class);

        return $app;
    }

    public function write(string $path, string $text): void
    {
        file_put_contents("$this->folder/$path", $text);
    }

    public function read(string $path): string
    {
        return (string) file_get_contents("$this->folder/$path");
    }

    public function log(): string
    {
        return is_file("$this->folder/storage/logs/laravel.log") ? $this->read('storage/logs/laravel.log') : '';
    }

    public function remove(): void
    {
        (new \Illuminate\Filesystem\Filesystem())->deleteDirectory($this->folder);
    }

    /** @param array<string, mixed> $values */
    private function config(string $name, array $values): void
    {
        $this->write("config/$name.php", '<?php return ' . var_export($values, true) . ';');
    }
}
