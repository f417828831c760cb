<?php

declare(strict_types=1);

/* The worker for WebSocket events, which the Caddyfile names. It belongs outside the document root. */

require __DIR__ . '/vendor/autoload.php';

FrankenPHP\WebSocket\Laravel\Worker::run(__DIR__ . '/bootstrap/app.php');
