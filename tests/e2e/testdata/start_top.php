<?php

declare(strict_types=1);

function note(string $line): void
{
    file_put_contents(getenv('E2E_DIR') . '/started', "$line\n", FILE_APPEND | LOCK_EX);
}

/** What every function answers that a script may call before its loop. */
function top(string $script): void
{
    try {
        frankenphp_ws_global_set("top of $script", 'set');
        frankenphp_ws_sendAll('from the top');
        note("$script: " . json_encode([
            frankenphp_ws_global_get("top of $script"),
            is_array(frankenphp_ws_getClients()),
            is_array(frankenphp_ws_listRoutes()),
            frankenphp_ws_setTimer(60_000, "never", worker: "start") > 0,
            getenv('FRANKENPHP_WS_WORKER'),
        ]));
    } catch (Throwable $error) {
        note("$script: " . $error->getMessage());
    }
}
