<?php

declare(strict_types=1);

use Illuminate\Foundation\Application;

// All that the example writes is outside of this folder.
$storage = getenv('APP_STORAGE') ?: sys_get_temp_dir() . '/frankenphp-ws-laravel-' . get_current_user();
foreach (['framework/views', 'framework/sessions', 'logs'] as $folder) {
    is_dir("$storage/$folder") || @mkdir("$storage/$folder", 0o700, true);
}
$_ENV['APP_PACKAGES_CACHE'] = "$storage/packages.php";
$_ENV['APP_SERVICES_CACHE'] = "$storage/services.php";

$app = new Application(dirname(__DIR__));
$app->useStoragePath($storage);
$app->singleton(Illuminate\Contracts\Http\Kernel::class, App\Http\Kernel::class);
$app->singleton(Illuminate\Contracts\Console\Kernel::class, Illuminate\Foundation\Console\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);

return $app;
