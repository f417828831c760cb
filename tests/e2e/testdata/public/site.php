<?php

declare(strict_types=1);

/* A worker of the site, which no websocket directive names, and which uses the functions as soon as it starts. */

require __DIR__ . '/../start_top.php';

top('site');
while (frankenphp_handle_request(static function (): void {
    echo frankenphp_ws_global_get('top of site');
})) {
}
