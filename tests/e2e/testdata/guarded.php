<?php

declare(strict_types=1);

/* A worker that tells a new client what is known of it, and then who answers its messages. */

$name = $_SERVER['WORKER'] ?? 'guarded';

$handler = static function () use ($name): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        if ($event['type'] === 'open') {
            frankenphp_ws_send($event['id'], json_encode([
                'worker' => $name,
                'id' => $event['id'],
                'subprotocol' => $event['subprotocol'],
                'tags' => frankenphp_ws_getTags($event['id']),
                'information' => array_map(base64_encode(...), frankenphp_ws_getAllStoredInformation($event['id'])),
            ], JSON_THROW_ON_ERROR));
        } elseif ($event['type'] === 'message') {
            frankenphp_ws_send($event['id'], "$name: {$event['data']}");
        } elseif ($event['type'] === 'close') {
            file_put_contents(getenv('E2E_DIR') . '/closed', "$name {$event['code']}\n", FILE_APPEND | LOCK_EX);
        }
    }
};
while (frankenphp_handle_request($handler)) {
}
