<?php

// A worker that tells the client each event it sees, and then does what the message says.

$do = function (array $event): void {
    switch ($event['type'] === 'message' ? $event['data'] : '') {
        case 'throw': throw new LogicException('thrown in the handler');
        case 'exit': exit;
        case 'exit, next event': register_shutdown_function(function () {
            try {
                frankenphp_ws_nextEvent();
            } catch (FrankenPHP\WebSocket\OutsideEventLoopException $e) {
                trigger_error($e->getMessage());
            }
        });
            exit;
        case 'fatal error': eval('class Incomplete { abstract function missing(); }'); break;
        case 'memory limit': ini_set('memory_limit', '4M'); str_repeat('x', 8 << 20); break;
        case 'use 5 MiB': $GLOBALS['used'] = str_repeat('x', 5 << 20); break;
        case 'time limit': set_time_limit(1); while (true); // no break
        case 'takes 0.45 s': for ($until = microtime(true) + 0.45; microtime(true) < $until;); break;
        case 'takes 0.7 s': for ($until = microtime(true) + 0.7; microtime(true) < $until;); break;
        case 'handled error':
            set_error_handler(fn () => true);
            trigger_error('handled by the script', E_USER_ERROR);
            restore_error_handler();
            break;
        case 'fail': frankenphp_ws_failEvent('failed by the script'); frankenphp_ws_failEvent('failed again'); break;
    }
};

$handler = function () use ($do): void {
    while ($event = frankenphp_ws_nextEvent()) {
        foreach (['data', 'reason'] as $key) {
            if (isset($event[$key]) && !mb_check_encoding($event[$key])) {
                $event["$key in base64"] = base64_encode($event[$key]);
                unset($event[$key]);
            }
        }
        foreach (['headers', 'cookies'] as $key) {
            if (isset($event[$key])) {
                $event[$key] = (object) $event[$key]; // an object for JSON, also when it is empty
            }
        }
        if ($event['type'] === 'close') {
            frankenphp_ws_sendToTag('watches closing', json_encode($event));
        } elseif (strlen($event['data'] ?? '') < 1000) {
            frankenphp_ws_send($event['id'], json_encode($event));
        }
        $do($event);
        if (($event['data'] ?? '') === 'break') {
            break;
        }
    }
};

while (frankenphp_handle_request($handler)) {
}
