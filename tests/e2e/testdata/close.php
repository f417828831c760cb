<?php

declare(strict_types=1);

/*
 * A worker that ends its clients as their query says, at their first event or at the eleventh message, and goes on with what comes. It
 * records what it is given in $E2E_DIR/events, and what can still be done with a client that it has ended in $E2E_DIR/after.
 */

$record = static function (string $file, array $line): void {
    file_put_contents(getenv('E2E_DIR') . '/' . $file, json_encode($line, JSON_THROW_ON_ERROR) . "\n", FILE_APPEND | LOCK_EX);
};

$end = static function (string $how, string $id): void {
    match ($how) {
        'close' => frankenphp_ws_close($id, 4001, 'enough'),
        'kill' => frankenphp_ws_killConnection($id),
        'closekill' => [frankenphp_ws_close($id, 4001, 'enough'), frankenphp_ws_killConnection($id)],
        'fail' => frankenphp_ws_failEvent('on purpose'),
        'throw' => throw new RuntimeException('on purpose'),
        'exit' => exit(1),
        'fatal' => eval('class stdClass {}'),
        default => null,
    };
};

$after = static function (string $id) use ($record): void {
    $record('after', [
        'id' => $id,
        'send' => frankenphp_ws_send($id, 'x'),
        'group' => frankenphp_ws_sendToTag($id, 'x'),
        'listed' => in_array($id, frankenphp_ws_getClients(), true),
        'tag' => frankenphp_ws_getTagCount($id),
        'expression' => count(frankenphp_ws_getClientsByTagExpression("\"$id\"")),
        'connected' => frankenphp_ws_getClient($id)['connected'],
    ]);
};

$handler = static function () use ($record, $end, $after): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        ['type' => $type, 'id' => $id] = $event;
        if ($type === 'open') {
            parse_str($event['query'], $query);
            $record('events', ['type' => 'open', 'id' => $id, 'query' => $event['query']]);
            frankenphp_ws_tagClient($id, $id);
            frankenphp_ws_setStoredInformation($id, 'how', $query['how'] ?? '');
            frankenphp_ws_send($id, $id);
            if (isset($query['open'])) {
                $end($query['open'], $id);
                $after($id);
            }
        } elseif ($type === 'message') {
            $record('events', ['type' => 'message', 'id' => $id, 'data' => $event['data']]);
            if ($event['data'] === '10' && ($how = frankenphp_ws_getStoredInformation($id, 'how')) !== '') {
                $end($how, $id);
                $after($id);
            }
        } else {
            $discarded = frankenphp_ws_getClient($id)['messages_discarded'];
            $record('events', ['discarded' => $discarded] + $event);
        }
    }
};
while (frankenphp_handle_request($handler)) {
}
