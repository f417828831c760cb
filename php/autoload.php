<?php

declare(strict_types=1);

/*
 * For projects without Composer: one require makes the classes of this package known.
 * The exceptions of the same namespace come with the extension inside FrankenPHP.
 */

spl_autoload_register(static function (string $class): void {
    $prefix = 'FrankenPHP\\WebSocket\\';
    if (!str_starts_with($class, $prefix)) {
        return;
    }
    $file = __DIR__ . '/src/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
    if (is_file($file)) {
        require $file;
    }
});
