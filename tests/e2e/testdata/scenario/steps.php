<?php

declare(strict_types=1);

/* What clients do, one after the other. Each step makes at least one client receive something or be closed. */

$connect = static fn (string $client, string $route = 'scenario', string $subprotocol = '', array $headers = []): array
    => ['action' => 'connect', 'client' => $client, 'query' => 'name=' . rawurlencode($client), 'route' => $route, 'subprotocol' => $subprotocol,
        'headers' => $headers];
$say = static fn (string $client, string $data, bool $binary = false): array
    => ['action' => 'send', 'client' => $client, 'data' => $binary ? base64_encode($data) : $data, 'binary' => $binary];
$json = static fn (array $message): string => json_encode($message, JSON_THROW_ON_ERROR);
$do = static fn (string $sender, string $what, mixed ...$arguments): array => $say($sender, $json(['do' => $what] + $arguments));
$call = static fn (string $function, mixed ...$arguments): array
    => $say('anna', $json(['do' => 'call', 'function' => $function, 'arguments' => $arguments]));
$bytes = static fn (string $bytes, int $times = 1): array => ['bytes' => base64_encode($bytes), 'times' => $times];
/** @return array after some time, which passes by itself on a real server */
$later = static fn (int $milliseconds, array $step): array => ['action' => 'later', 'milliseconds' => $milliseconds] + $step;
/** @return array whose consequences some time brings, which passes by itself on a real server */
$pass = static fn (int $milliseconds, array $step): array => ['milliseconds' => $milliseconds] + $step;
$leave = static fn (string $client, int $code = 1000, string $reason = ''): array
    => ['action' => 'close', 'client' => $client, 'code' => $code, 'reason' => $reason];
$vanish = static fn (string $client): array => ['action' => 'vanish', 'client' => $client];

$steps = [
    // Events and what they carry.
    $connect('anna', headers: ['X-Test' => 'a header', 'Cookie' => 'flavour=plain%20one']),
    $connect('bob'),
    $connect('größe 👋'),
    $do('bob', 'facts later'),
    $do('bob', 'json', value: ['url' => '/é', 'n' => 1]),
    $do('bob', 'impossible json', bytes: '/w=='),
    $say('bob', "\x00\xff binary", true),
    $do('bob', 'throw', text: 'as told'),
    $do('bob', 'fail twice'),
    $say('bob', 'no JSON'),

    // Users, groups, and choices of clients.
    $do('anna', 'join', group: 'kitchen'),
    $do('bob', 'join', group: 'kitchen'),
    $do('bob', 'join', group: 'bar'),
    $do('anna', 'login', user: '42'),
    $do('größe 👋', 'login', user: '42'),
    $do('bob', 'who'),
    $do('anna', 'who'),
    $do('bob', 'is in', group: 'bar'),
    $do('anna', 'is in', group: 'bar'),
    $do('anna', 'to group', group: 'kitchen', text: 'to the kitchen'),
    $do('bob', 'to user', user: '42', text: 'to every window'),
    $do('anna', 'to group', group: 'nobody is here', text: 'unheard'),
    $do('anna', 'to all', text: 'to all'),
    $do('anna', 'to route', route: 'scenario', except: 'bob', text: 'bytes'),
    $do('anna', 'to route', route: 'nobody', except: 'bob', text: 'unheard'),
    $do('bob', 'to matching', expression: 'user:*&!group:kitchen', route: 'scenario', text: 'to one window'),
    $do('anna', 'direct', to: 'bob', text: 'to you alone'),
    $do('anna', 'direct', to: 'nobody', text: 'to nobody'),
    $do('anna', 'count', expression: null),
    $do('anna', 'count', expression: null, route: 'scenario'),
    $do('anna', 'count', expression: 'group:*', except: 'anna'),
    $do('anna', 'count', expression: 'all', route: 'nobody'),
    $do('anna', 'tag each', expression: '!group:bar', tag: 'not in the bar'),
    $do('bob', 'leave', group: 'bar'),
    $do('bob', 'who'),
    $do('anna', 'information', key: 'k', value: ''),
    $do('anna', 'information', key: '7', value: 'seven'),

    // Clients and their ends.
    $call('getClients'),
    $call('getClients', 'scenario'),
    $call('getClients', 'no such route'),
    $call('getClientsCount'),
    $call('getClientsCount', 'scenario'),
    $call('listRoutes'),
    $do('bob', 'rename', id: 'robert'),
    $do('bob', 'rename', id: 'anna'),
    $call('renameConnection', 'nobody', 'x'),
    $call('renameConnection', 'robert', ''),
    $call('renameConnection', 'robert', $bytes('x', 256)),
    $call('renameConnection', 'robert', $bytes("\xff")),
    $call('renameConnection', 'robert', 'bob'),
    $call('close', 'nobody'),
    $call('close', 'bob', 1005),
    $call('close', 'bob', 70000),
    $call('close', 'bob', 1000, $bytes('x', 124)),
    $call('close', 'bob', 1000, $bytes("\xff")),
    $call('killConnection', 'nobody'),
    // A name is free again when the close event has been handled, which others cannot tell: so each has its own.
    $connect('carl'),
    $do('anna', 'close', client: 'carl', code: 4001, reason: 'time to go'),
    $connect('carla'),
    $do('anna', 'cut', client: 'carla'),
    $connect('carlo'),
    $leave('carlo', 3000, 'had enough'),
    $connect('carol'),
    $vanish('carol'),
    $call('send', 'carl', 'too late'),
    $later(0, $call('getTags', 'carl')),

    // A client that is gone, or never was: nothing throws but what would be wrong for anybody.
    ...array_map(static fn (array $gone): array => $call(...$gone), [
        ['send', 'nobody', 'x'], ['close', 'nobody', 4000], ['close', 'nobody', 999], ['killConnection', 'nobody'], ['renameConnection', 'nobody', 'x'],
        ['renameConnection', 'nobody', ''], ['getClient', 'nobody'], ['getClientPingTime', 'nobody'], ['enablePing', 'nobody', 1000], ['enablePing', 'nobody', 1],
        ['disablePing', 'nobody'], ['tagClient', 'nobody', 'x'], ['tagClient', 'nobody', ''], ['untagClient', 'nobody', 'x'], ['untagClient', 'nobody', ''],
        ['clearTagClient', 'nobody'], ['getTags', 'nobody'], ['setStoredInformation', 'nobody', 'k', 'v'], ['setStoredInformation', 'nobody', '', 'v'],
        ['getStoredInformation', 'nobody', 'k'], ['hasStoredInformation', 'nobody', 'k'], ['deleteStoredInformation', 'nobody', 'k'],
        ['clearStoredInformation', 'nobody'], ['listStoredInformationKeys', 'nobody'], ['getAllStoredInformation', 'nobody'],
        ['tagClient', $bytes("\xff"), 'x'], ['getTags', $bytes("\xff")], ['getClient', $bytes("\xff")], ['clearStoredInformation', $bytes("\xff")],
    ]),
    $do('anna', 'gone', client: 'nobody'),

    // A route that there is not.
    ...array_map(static fn (string $route): array => $call('getClients', $route), ['', 'no such route', "scenario\n", 'Scenario', str_repeat('é', 100)]),
    $call('getClientsCount', 'no such route'),
    $call('send', 'bob', 'x', 'no such route'),
    $call('send', 'nobody', 'x', 'no such route'),
    $call('sendAll', 'x', 'no such route'),
    $call('sendAll', $bytes("\xff"), 'no such route'),
    $call('sendToTag', 'all', 'x', 'no such route'),
    $call('sendToTagExpression', 'all', 'x', 'no such route'),
    $call('searchStoredInformation', 'city', FRANKENPHP_WS_OP_EQ, 'x', 'no such route'),
    $call('getClients', $bytes("\xff")),

    // Sending.
    $call('send', 'bob', 'to bob'),
    $call('send', 'bob', 'to bob', 'nobody'),
    $call('send', 'bob', $bytes("\xff")),
    $call('send', 'bob', $bytes("\xff\x00"), null, true),
    $call('send', 'bob', $bytes('x', (4 << 20) + 1)),
    $call('sendAll', 'but not you', null, false, 'bob'),
    $call('sendAll', $bytes("\xff")),
    $call('sendToTag', 'all', 'to all', 'scenario', false, 'anna'),
    $call('sendToTag', '', 'x'),
    $call('sendToTag', $bytes("\xff"), 'x'),
    $call('sendToTagExpression', 'group:kitchen&user:42', 'to anna'),
    $call('sendToTagExpression', 'all&', 'x'),

    // Tags.
    $call('tagClient', 'bob', ''),
    $call('tagClient', 'bob', $bytes('x', 256)),
    $call('tagClient', 'bob', $bytes("\xff")),
    $call('tagClient', 'nobody', 'x'),
    $call('tagClient', 'bob', '17'),
    $call('tagClient', 'bob', '17'),
    $call('getTags', 'bob'),
    $call('getTags'),
    $call('getTagCount', 'all'),
    $call('getClientsByTag', '17'),
    $call('getTagCount', '17'),
    $call('getClientsByTagExpression', '1*'),
    $call('getClientsByTagExpression', '"17"'),
    $call('untagClient', 'bob', '17'),
    $call('untagClient', 'bob', 'never had'),
    $call('clearTagClient', 'größe 👋'),
    $call('getTags', 'größe 👋'),
    $call('tagClient', 'größe 👋', 'all'),
    $call('clearTagClient', 'nobody'),

    // Stored information.
    $call('setStoredInformation', 'bob', 'city', 'Lyon'),
    $call('setStoredInformation', 'anna', 'city', 'GRÜN'),
    $call('setStoredInformation', 'größe 👋', 'city', ''),
    $call('setStoredInformation', 'bob', '', 'x'),
    $call('setStoredInformation', 'bob', $bytes('k', 256), 'x'),
    $call('setStoredInformation', 'nobody', 'k', 'x'),
    $call('setStoredInformation', 'bob', 'large', $bytes('x', 4 << 20)),
    $call('setStoredInformation', 'bob', 'bytes', $bytes("\x00\xff", 500_000)),
    $call('getStoredInformation', 'bob', 'bytes'),
    $call('deleteStoredInformation', 'bob', 'bytes'),
    $call('deleteStoredInformation', 'bob', 'bytes'),
    $call('hasStoredInformation', 'größe 👋', 'city'),
    $call('hasStoredInformation', 'größe 👋', 'country'),
    $call('getStoredInformation', 'größe 👋', 'country'),
    $call('getStoredInformation', 'nobody', 'country'),
    $call('listStoredInformationKeys', 'bob'),
    $call('getAllStoredInformation', 'bob'),
    $call('searchStoredInformation', 'city', 'like', 'x'),
    $call('searchStoredInformation', 'city', FRANKENPHP_WS_OP_REGEX, '('),
    $call('searchStoredInformation', 'city', FRANKENPHP_WS_OP_REGEX, 'a(?=b)'),
    $call('searchStoredInformation', 'city', FRANKENPHP_WS_OP_EQ, 'Lyon', 'nobody'),
    $call('clearStoredInformation', 'größe 👋'),
    $call('setStoredInformation', 'größe 👋', 'name', 'größe 👋'),

    // Global values.
    $call('global_get', 'k'),
    $call('global_has', 'k'),
    $call('global_ttl', 'k'),
    $call('global_set', 'k', ''),
    $call('global_has', 'k'),
    $call('global_ttl', 'k'),
    $call('global_add', 'k', 'taken'),
    $call('global_add', 'lock', 'mine', 1),
    $call('global_ttl', 'lock'),
    $call('global_set', 'k', $bytes("\x00\xff")),
    $call('global_get', 'k'),
    $call('global_delete', 'k'),
    $call('global_delete', 'k'),
    $call('global_set', '', 'x'),
    $call('global_set', $bytes('k', 1025), 'x'),
    $call('global_set', 'k', 'x', -1),
    $call('global_increment', 'n'),
    $call('global_increment', 'n', -41),
    $call('global_set', 'n', '+007'),
    $call('global_increment', 'n'),
    $call('global_set', 'n', (string) PHP_INT_MAX),
    $call('global_increment', 'n'),
    $call('global_set', 'n', 'no number'),
    $call('global_increment', 'n'),
    $later(1000, $call('global_has', 'lock')),
    $call('global_get', 'lock'),

    // Facts, pings and timers.
    $do('bob', 'facts'),
    $call('getClient', 'nobody'),
    $call('getClientPingTime', 'bob'),
    $call('getClientPingTime', 'nobody'),
    $call('enablePing', 'bob', 60_000),
    $call('enablePing', 'bob', -1),
    $call('enablePing', 'nobody'),
    $call('disablePing', 'bob'),
    $call('disablePing', 'nobody'),
    $call('setTimer', 0, 'x'),
    $call('setTimer', 1, $bytes('x', (1 << 20) + 1)),
    $call('setTimer', 1, $bytes('x', (1 << 20) + 1), false, 'no such worker'),
    $call('setTimer', 1, 'x', false, 'no such worker'),
    $call('clearTimer', 123_456),
    $pass(1, $do('bob', 'timer', payload: 'once')),
    $pass(20, $do('bob', 'timers')),

    // Several applications.
    $connect('ulla', subprotocol: 'upper.v1'),
    $say('ulla', 'hello'),
    $say('ulla', 'throw'),
    $do('anna', 'to all', text: 'to ulla as well'),
    $leave('ulla'),
    $connect('nemo', 'nobody'),
    $do('anna', 'who'),
];

// Names that are chosen to mean something in an expression.
$hostile = ['a', '*', '?', 'x|vip', 'a b', '"', '\\', '\\"', '"|*|"', "'", '!', '(', ')', '()', '&', ' ', "\u{3000}", "\n", "\0", 'größe 👋', '0', str_repeat('"', 250)];
foreach ($hostile as $name) {
    array_push($steps, $call('quoteTag', $name), $do('anna', 'fill', expression: 'room_?', tags: [$name]));
}
array_push(
    $steps,
    $call('quoteTag', ''),
    $call('quoteTag', $bytes('x', 255)),
    $call('quoteTag', $bytes('x', 256)),
    $call('quoteTag', $bytes("\xff")),
    $do('anna', 'fill', expression: '(room_?&"room_?"|"room_"?)&!room_?', tags: ['a', 'a', 'b']),
    $do('anna', 'fill', expression: 'room_*&*_?', tags: ['a*b']),
    $do('anna', 'fill', expression: 'r*m_?', tags: ['a*b']),
    $do('anna', 'fill', expression: 'room_?', tags: []),
    $do('anna', 'fill', expression: 'room_?', tags: ['']),
    $do('anna', 'fill', expression: '?', tags: ['']),
    $do('anna', 'fill', expression: 'room_?', tags: ['a', 'b']),
    $do('anna', 'fill', expression: 'room_?|room_?', tags: ['a']),
    $do('anna', 'fill', expression: 'room_"?"', tags: ['a']),
    $do('anna', 'fill', expression: '"a\"?"|room_?', tags: ['a']),
    $do('anna', 'fill', expression: 'room_"?', tags: ['a']),
    $do('anna', 'fill', expression: '?"?', tags: ['|*|"']),
);
foreach (['lyon', 'Lyon', 'grün', 'l.on', '', '^[Ll]', 'on'] as $value) {
    foreach (['eq', 'neq', 'prefix', 'suffix', 'contains', 'ieq', 'iprefix', 'isuffix', 'icontains', 'regex', 'EQ', ''] as $operator) {
        $steps[] = $call('searchStoredInformation', 'city', $operator, $value);
    }
}
// Bytes that are no UTF-8, and characters whose cases differ in length.
array_push(
    $steps,
    $call('setStoredInformation', 'bob', 'odd', $bytes("Caf\xE9 \xC3\x9C \xFF")),
    $call('setStoredInformation', 'anna', 'odd', "\u{212A}elvin STRASSE \u{1E9E} \u{23A}\u{3A3}"),
);
foreach ([
    "CAF\xE9 \xC3\xBC \xFF", "CAF\xC9", "caF\xE9", "\xFF", "\xFE", "\xBC", "\x9C", "\xC3", "\xC3\xBC", 'kELVIN', "stra\u{DF}e", "\u{DF}", "\u{2C65}\u{3C2}",
    "\u{2C65}\u{3C3}", '', ' ', str_repeat("\xFF", 5000),
] as $value) {
    foreach (['eq', 'neq', 'prefix', 'suffix', 'contains', 'ieq', 'iprefix', 'isuffix', 'icontains'] as $operator) {
        $steps[] = $call('searchStoredInformation', 'odd', $operator, $bytes($value));
    }
}
array_push($steps, $call('deleteStoredInformation', 'bob', 'odd'), $call('deleteStoredInformation', 'anna', 'odd'));
foreach ([
    'all', '!all', '!!all', 'all&group:kitchen', 'all && !user:42', 'user:42|group:bar', 'user:42||group:kitchen', '(user:42|group:kitchen)&!all',
    '!(user:42)&(all)', '*kitchen', '*:*', '*', 'u*r:*2', 'a**l', "\"all\"\u{2003}& all", '"*"', '"not in the bar"', 'not\ in', '"a\"b\\\\c"',
    'gr"ou"p:"kitchen"', 'a"l"*', '"a"*"l"', '*"*"', '"*"*', '"all" ""', 'all""', '""""', '"" "all"', 'all "x"', 'not" in "the*', '!a"l"l|"a""ll"',
    '', ' ', '!', 'all|', '|all', 'all all', '(all', 'all)', '()', '"', '""', '"all', '"a\b"', 'all&&&all', '& all', 'größe&', str_repeat('(', 65) . 'all',
    str_repeat('(', 64) . 'all' . str_repeat(')', 64), str_repeat('!', 4000) . 'all', str_repeat('x', 256), str_repeat('*', 300),
    implode('|', array_fill(0, 64, '*a')), implode('|', array_fill(0, 65, '*a')), str_repeat('x', 4097), '"' . str_repeat('x', 256) . '"',
] as $expression) {
    $steps[] = $call('getClientsByTagExpression', $expression);
}
$steps[] = $call('getClientsByTagExpression', $bytes("\xff"));

return $steps;
