<?php

declare(strict_types=1);

/* Plays the steps on the fake server, and prints them with what each client has received. */

use FrankenPHP\WebSocket\Testing\FakeClient;
use FrankenPHP\WebSocket\Testing\FakeServer;

require __DIR__ . '/../../../../php/autoload.php';

$server = new FakeServer(static fn () => require __DIR__ . '/application.php', ['scenario', 'nobody'], worker: 'scenario');
/** @var array<string, FakeClient> $clients */
$clients = [];
$played = [];
foreach (require __DIR__ . '/steps.php' as $step) {
    $connected = array_filter($clients, static fn (FakeClient $client): bool => $client->isConnected());
    $before = array_map(static fn (FakeClient $client): int => count($client->received), $clients);
    $client = $clients[$step['client']] ?? null;
    switch ($step['action']) {
        case 'connect':
            $clients[$step['client']] = $server->connect(
                $step['query'],
                '/' . $step['route'],
                $step['headers'],
                isset($step['headers']['Cookie']) ? ['flavour' => 'plain one'] : [],
                subprotocol: $step['subprotocol'],
                route: $step['route'],
            );
            $connected[$step['client']] = $clients[$step['client']];
            unset($before[$step['client']]);
            break;
        case 'send':
            $step['binary'] ? $client->sendBinary(base64_decode($step['data'])) : $client->send($step['data']);
            $server->advance($step['milliseconds'] ?? 0);
            break;
        case 'later':
            $server->advance($step['milliseconds']);
            $client->send($step['data']);
            break;
        case 'close':
            unset($connected[$step['client']]);
            $client->close($step['code'], $step['reason']);
            break;
        case 'vanish':
            unset($connected[$step['client']]);
            $client->vanish();
            break;
    }
    $step['received'] = [];
    $step['closed'] = [];
    foreach ($clients as $name => $client) {
        foreach (array_slice($client->received, $before[$name] ?? 0) as $message) {
            $step['received'][$name][] = ['data' => base64_encode($message->data), 'binary' => $message->binary];
        }
        if (isset($connected[$name]) && !$client->isConnected()) {
            $step['closed'][$name] = ['code' => $client->closeCode, 'reason' => $client->closeReason];
        }
    }
    foreach (['headers', 'received', 'closed'] as $map) {
        $step[$map] = (object) ($step[$map] ?? []);
    }
    $played[] = $step;
}
echo json_encode(['steps' => $played, 'failures' => count($server->failures)], JSON_THROW_ON_ERROR);
