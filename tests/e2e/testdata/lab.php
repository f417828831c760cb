<?php

declare(strict_types=1);

/*
 * A worker with a raw loop that the tests command by messages. It records every event it is given in $E2E_DIR/events, before
 * it does anything else with it; other messages come back.
 */

require __DIR__ . '/call.php';

$record = static function (string $file, array $line): void {
    $json = json_encode($line, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
    file_put_contents(getenv('E2E_DIR') . '/' . $file, $json . "\n", FILE_APPEND | LOCK_EX);
};
$thread = bin2hex(random_bytes(4));
$record('boots', ['thread' => $thread]);

$handler = static function () use ($record, $thread): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        $record('events', ['thread' => $thread] + $event);
        $type = $event['type'];
        $id = $event['id'] ?? '';
        if ($type === 'open' && str_contains($event['query'], 'facts')) {
            frankenphp_ws_send($id, json_encode($event, JSON_THROW_ON_ERROR | JSON_FORCE_OBJECT));
        }
        if ($type !== 'message') {
            continue;
        }
        [$command, $argument] = explode(' ', $event['data'], 2) + [1 => ''];
        switch ($command) {
            case 'break':
                break 2;
            case 'throw':
                echo "printed before $command";
                (static fn (string $secret) => throw new RuntimeException('thrown on purpose'))($argument);
                // no break
            case 'exit':
                echo "printed before $command";
                exit(1);
            case 'fatal':
                echo "printed before $command";
                eval('class stdClass {}');
                break;
            case 'memory':
                echo "printed before $command";
                ini_set('memory_limit', '16M');
                str_repeat('x', 64 << 20);
                break;
            case 'time':
                echo "printed before $command";
                set_time_limit(1);
                while (true) {
                }
                // no break
            case 'fail':
                frankenphp_ws_failEvent('failed on purpose');
                break;
            case 'sleep':
                usleep((int) $argument * 1000);
                frankenphp_ws_send($id, 'slept');
                break;
            case 'flood':
                $kilobytes = (int) $argument;
                for ($i = 0; $i < $kilobytes; $i += 16) {
                    frankenphp_ws_send($id, str_repeat('x', 16 << 10));
                }
                break;
            case 'close':
                [$code, $reason] = explode(' ', $argument, 2) + [1 => ''];
                frankenphp_ws_close($id, (int) $code, $reason);
                break;
            case 'call':
                frankenphp_ws_send($id, call($argument));
                break;
            default:
                frankenphp_ws_send($id, $event['data'], null, $event['binary']);
        }
    }
};
while (frankenphp_handle_request($handler)) {
}
