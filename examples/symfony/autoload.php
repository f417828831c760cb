<?php

declare(strict_types=1);

/* A site of yours has Composer's vendor/autoload.php instead. `make run EXAMPLE=symfony` says by FWS_FRAMEWORKS where Symfony is. */

if (is_file(__DIR__ . '/vendor/autoload.php')) {
    require_once __DIR__ . '/vendor/autoload.php';

    return;
}
if (!is_string(getenv('FWS_FRAMEWORKS'))) {
    throw new LogicException('Symfony is not there: start the example by `make run EXAMPLE=symfony`, or run `composer install` here');
}
require_once getenv('FWS_FRAMEWORKS');
require_once __DIR__ . '/../../php/autoload.php';

spl_autoload_register(static function (string $class): void {
    foreach (['FrankenPHP\\WebSocket\\Symfony\\' => __DIR__ . '/../../php/symfony/src/', 'Board\\' => __DIR__ . '/src/'] as $prefix => $folder) {
        $file = $folder . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;
        }
    }
});
