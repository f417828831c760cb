<?php

declare(strict_types=1);

/* A worker each of whose threads sets the common timer when it starts, as an application does in onStart. */

frankenphp_ws_setTimer(30, 'tick', repeat: true, name: 'clock');

$handler = static function (): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        file_put_contents(getenv('E2E_DIR') . '/events', json_encode($event) . "\n", FILE_APPEND | LOCK_EX);
    }
};
while (frankenphp_handle_request($handler)) {
}
