<?php

declare(strict_types=1);

$handler = static function (): void {
    while ($event = frankenphp_ws_nextEvent()) {
        if ($event['type'] === 'message') {
            frankenphp_ws_send($event['id'], $event['data'], null, $event['binary']);
        }
    }
};
while (frankenphp_handle_request($handler)) {
}
