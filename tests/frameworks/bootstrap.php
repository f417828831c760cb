<?php

declare(strict_types=1);

/* Makes the frameworks, the packages of this tree and the helpers of the tests known. FWS_FRAMEWORKS is what tools/frameworks.sh prints. */

require (string) getenv('FWS_FRAMEWORKS');
require __DIR__ . '/../../php/autoload.php';

spl_autoload_register(static function (string $class): void {
    $top = dirname(__DIR__, 2);
    foreach ([
        'FrankenPHP\\WebSocket\\Laravel\\' => "$top/php/laravel/src/",
        'FrankenPHP\\WebSocket\\Symfony\\' => "$top/php/symfony/src/",
        'Tests\\Laravel\\' => __DIR__ . '/laravel/',
        'Tests\\Symfony\\' => __DIR__ . '/symfony/',
        'Tests\\' => __DIR__ . '/',
    ] as $prefix => $folder) {
        $file = $folder . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;

            return;
        }
    }
});
