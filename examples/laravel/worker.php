<?php

declare(strict_types=1);

/* The worker for WebSocket events: `php artisan frankenphp-ws:install` writes one like it. */

require __DIR__ . '/autoload.php';

FrankenPHP\WebSocket\Laravel\Worker::run(__DIR__ . '/bootstrap/app.php');
