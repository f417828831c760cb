<?php

declare(strict_types=1);

/* A worker that lies where visitors can request it, as it should not. */

$handler = static function (): void {
    try {
        while (($event = frankenphp_ws_nextEvent()) !== null) {
            echo json_encode($event);
            if ($event['type'] === 'message') {
                frankenphp_ws_send($event['id'], $event['data']);
            }
        }
    } catch (FrankenPHP\WebSocket\OutsideEventLoopException $error) {
        http_response_code(404);
        echo 'no bell';
    }
};
while (frankenphp_handle_request($handler)) {
}
