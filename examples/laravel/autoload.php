<?php

declare(strict_types=1);

/* A site of yours has Composer's vendor/autoload.php instead. `make run EXAMPLE=laravel` says by FWS_FRAMEWORKS where Laravel is. */

if (is_file(__DIR__ . '/vendor/autoload.php')) {
    require_once __DIR__ . '/vendor/autoload.php';

    return;
}
if (!is_string(getenv('FWS_FRAMEWORKS'))) {
    throw new LogicException('Laravel is not there: start the example by `make run EXAMPLE=laravel`, or run `composer install` here');
}
require_once getenv('FWS_FRAMEWORKS');
require_once __DIR__ . '/../../php/autoload.php';

spl_autoload_register(static function (string $class): void {
    foreach (['FrankenPHP\\WebSocket\\Laravel\\' => __DIR__ . '/../../php/laravel/src/', 'App\\' => __DIR__ . '/app/'] as $prefix => $folder) {
        $file = $folder . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;
        }
    }
});
