<?php

declare(strict_types=1);

return [
    /*
     * The application of the Pusher protocol. The same three are in the Caddyfile, in the line `app ID KEY SECRET`.
     * The names are those of Reverb, so a site that had Reverb keeps its .env and its JavaScript.
     */
    'app_id' => env('REVERB_APP_ID', env('PUSHER_APP_ID')),
    'key' => env('REVERB_APP_KEY', env('PUSHER_APP_KEY')),
    'secret' => env('REVERB_APP_SECRET', env('PUSHER_APP_SECRET')),

    /*
     * Which way events go to the server:
     *
     * auto      the first that works of the three below
     * process   in the server's own process: in its workers and web requests
     * control   by the server's control socket: in `frankenphp php-cli artisan …` on the server's machine
     * http      by the signed HTTP API: from any PHP on any machine
     */
    'way' => env('FRANKENPHP_WS_WAY', 'auto'),

    /* Where the HTTP API is: the site's own address. Null: never by HTTP. */
    'url' => env('FRANKENPHP_WS_URL', env('APP_URL')),

    /* So many seconds may a call of the HTTP API, or of the admin endpoint, take. */
    'timeout' => 5,

    /* For channels private-encrypted-…: 32 bytes in base64, as `openssl rand -base64 32` makes. */
    'encryption_master_key' => env('FRANKENPHP_WS_ENCRYPTION_KEY'),

    /* Caddy's admin endpoint, for frankenphp-ws:clients, :stats and :restart. */
    'admin' => env('FRANKENPHP_WS_ADMIN', 'localhost:2019'),

    /*
     * In the worker. The services of `warm` are made once, before the first event, and are shared by all events. All others are made
     * anew in each event. The services of `flush` are made anew in each event although they are made before the first.
     */
    'warm' => [
        'auth', 'cache', 'cache.store', 'config', 'cookie', 'db', 'db.factory', 'events', 'files', 'hash', 'log', 'queue', 'router', 'routes',
        'session', 'translator', 'url', 'view',
    ],
    'flush' => [],
];
