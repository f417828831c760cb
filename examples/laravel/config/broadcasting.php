<?php

declare(strict_types=1);

return [
    'default' => env('BROADCAST_CONNECTION', env('BROADCAST_DRIVER', 'null')),
    'connections' => [
        // What is not said here is in config/frankenphp-ws.php of the package.
        'frankenphp' => ['driver' => 'frankenphp', 'url' => env('APP_URL', 'http://localhost:' . env('PORT', '8080'))],
    ],
];
