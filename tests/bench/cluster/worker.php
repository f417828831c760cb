<?php

declare(strict_types=1);

// Lets each client into the channel that it names, as the user that it says it is, and tells it so.
$handler = static function (): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        if ($event['type'] !== 'open') {
            continue;
        }
        parse_str($event['query'], $query);
        if (str_starts_with($query['channel'], 'room:')) {
            frankenphp_ws_setUser($event['id'], $query['user']);
        }
        frankenphp_ws_tagClient($event['id'], $query['channel']);
        frankenphp_ws_send($event['id'], 'in');
    }
};
while (frankenphp_handle_request($handler)) {
}
