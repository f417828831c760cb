<?php

declare(strict_types=1);

/* The functions of the extension, talking to the fake server. ../stubs documents them. */

use FrankenPHP\WebSocket\Caller;
use FrankenPHP\WebSocket\OutsideEventLoopException;
use FrankenPHP\WebSocket\Testing\Batch;
use FrankenPHP\WebSocket\Testing\FakeClient;
use FrankenPHP\WebSocket\Testing\FakeServer;
use FrankenPHP\WebSocket\Testing\Histories;
use FrankenPHP\WebSocket\Testing\Refusal;
use FrankenPHP\WebSocket\Testing\StoredInformation;

const FRANKENPHP_WS_OP_EQ = 'eq';
const FRANKENPHP_WS_OP_NEQ = 'neq';
const FRANKENPHP_WS_OP_PREFIX = 'prefix';
const FRANKENPHP_WS_OP_SUFFIX = 'suffix';
const FRANKENPHP_WS_OP_CONTAINS = 'contains';
const FRANKENPHP_WS_OP_IEQ = 'ieq';
const FRANKENPHP_WS_OP_IPREFIX = 'iprefix';
const FRANKENPHP_WS_OP_ISUFFIX = 'isuffix';
const FRANKENPHP_WS_OP_ICONTAINS = 'icontains';
const FRANKENPHP_WS_OP_REGEX = 'regex';

function frankenphp_ws_nextEvent(): ?array
{
    throw Caller::blame(new OutsideEventLoopException('frankenphp_ws_nextEvent(): the fake server gives its events to an Application, not to a loop'));
}

function frankenphp_ws_failEvent(string $cause): void
{
    FakeServer::current()->failEvent($cause);
}

function frankenphp_ws_getClients(?string $route = null): array
{
    return array_column(FakeServer::current()->live($route), 'id');
}

function frankenphp_ws_getClientsCount(?string $route = null): int
{
    return count(FakeServer::current()->live($route));
}

function frankenphp_ws_listRoutes(): array
{
    $routes = FakeServer::current()->routes;
    sort($routes, SORT_STRING);

    return $routes;
}

function frankenphp_ws_send(string $id, string $data, ?string $route = null, bool $binary = false): bool
{
    return Batch::call(static function () use ($id, $data, $route, $binary): bool {
        Refusal::unlessUtf8(['id' => $id, 'route' => $route, 'data' => $binary ? null : $data]);
        $server = FakeServer::current();
        $server->checkRoute($route);
        $client = $server->registry->connected($id);
        if ($client === null || ($route !== null && $client->route !== $route)) {
            return false;
        }
        if (FakeServer::isTooLarge($data)) {
            throw Refusal::invalid('$data has ' . strlen($data) . ' bytes, which is more than the max_outbox of the client\'s route');
        }

        return $server->deliver($client, $data, $binary);
    }, true);
}

function frankenphp_ws_sendAll(string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
{
    return Batch::call(static function () use ($data, $route, $binary, $exceptId): int {
        Refusal::unlessUtf8(['route' => $route, 'exceptId' => $exceptId, 'data' => $binary ? null : $data]);
        $server = FakeServer::current();
        $server->checkRoute($route);

        return $server->deliverToAll($server->registry->live(), $data, $route, $binary, $exceptId);
    }, 0);
}

function frankenphp_ws_sendToTag(string $tag, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
{
    return Batch::call(static function () use ($tag, $data, $route, $binary, $exceptId): int {
        Refusal::unlessUtf8(['route' => $route, 'exceptId' => $exceptId, 'data' => $binary ? null : $data]);
        $server = FakeServer::current();
        $server->checkRoute($route);

        $tagged = $server->registry->tagged($tag);
        $server->histories->record($tag, $data, $binary, $route, microtime(true));

        return $server->deliverToAll($tagged, $data, $route, $binary, $exceptId);
    }, 0);
}

function frankenphp_ws_sendToTagExpression(string $expression, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
{
    return Batch::call(static function () use ($expression, $data, $route, $binary, $exceptId): int {
        Refusal::unlessUtf8(['route' => $route, 'exceptId' => $exceptId, 'data' => $binary ? null : $data]);
        $server = FakeServer::current();
        $server->checkRoute($route);

        return $server->deliverToAll($server->registry->matching($expression), $data, $route, $binary, $exceptId);
    }, 0);
}

function frankenphp_ws_close(string $id, int $code = 1000, string $reason = ''): bool
{
    return Batch::call(static function () use ($id, $code, $reason): bool {
        Refusal::unlessUtf8(['id' => $id, 'reason' => $reason]);
        Refusal::unlessClosable($code, $reason);

        return FakeServer::current()->close($id, $code, $reason);
    }, true);
}

function frankenphp_ws_killConnection(string $id): bool
{
    return Batch::call(static function () use ($id): bool {
        Refusal::unlessUtf8(['id' => $id]);

        return FakeServer::current()->cut($id);
    }, true);
}

function frankenphp_ws_getClient(string $id): ?array
{
    return FakeServer::current()->registry->known($id)?->facts();
}

function frankenphp_ws_getClientPingTime(string $id): ?int
{
    return FakeServer::current()->registry->known($id)?->facts()['ping_time'];
}

function frankenphp_ws_enablePing(string $id, int $intervalMs = 0): bool
{
    return Batch::call(static function () use ($id, $intervalMs): bool {
        Refusal::unlessUtf8(['id' => $id]);
        if ($intervalMs !== 0 && ($intervalMs < 100 || $intervalMs > 86_400_000)) {
            throw Refusal::invalid("\$intervalMs must be 0, or 100 to 86400000, $intervalMs given");
        }

        return FakeServer::current()->registry->connected($id) !== null;
    }, true);
}

function frankenphp_ws_disablePing(string $id): bool
{
    return Batch::call(static function () use ($id): bool {
        return frankenphp_ws_enablePing($id);
    }, true);
}

function frankenphp_ws_renameConnection(string $id, string $newId): bool
{
    return Batch::call(static function () use ($id, $newId): bool {
        return FakeServer::current()->registry->rename($id, $newId);
    }, true);
}

function frankenphp_ws_tagClient(string $id, string $tag, ?string $since = null): bool
{
    return Batch::call(static function () use ($id, $tag, $since): bool {
        $server = FakeServer::current();
        if ($since === null) {
            return $server->registry->tag($id, $tag);
        }
        Histories::parse($since);
        $client = $server->registry->connected($id);
        if ($client === null) {
            return false;
        }
        $route = $server->histories->only($tag, $client->route);
        $had = in_array($tag, $client->tags, true);
        if (!$server->registry->tag($id, $tag)) {
            return false;
        }
        foreach ($had ? [] : $server->histories->read($tag, 0, $since, $route)['messages'] as $message) {
            if (!$server->deliver($client, $message['data'], $message['binary'])) {
                break;
            }
        }

        return true;
    }, true);
}

function frankenphp_ws_history(string $tag, int $limit = 0, ?string $since = null, ?string $route = null): array
{
    Refusal::unlessUtf8(['tag' => $tag, 'route' => $route, 'since' => $since]);
    if ($limit < 0 || $limit > 4_294_967_295) {
        throw Refusal::invalid("\$limit must be 0 (all) to 4294967295, $limit given");
    }
    $server = FakeServer::current();
    $server->checkRoute($route);

    return $server->histories->read($tag, $limit, $since, $route);
}

function frankenphp_ws_clearHistory(string $tag, ?string $route = null): bool
{
    return Batch::call(static function () use ($tag, $route): bool {
        Refusal::unlessUtf8(['tag' => $tag, 'route' => $route]);
        $server = FakeServer::current();
        $server->checkRoute($route);

        return $server->histories->clear($tag, $route);
    }, true);
}

function frankenphp_ws_setUser(string $id, ?string $user, string $info = ''): bool
{
    return Batch::call(static fn (): bool => FakeServer::current()->registry->setUser($id, $user, $info), true);
}

function frankenphp_ws_getClientsByUser(string $user, ?string $route = null): array
{
    $server = FakeServer::current();
    $clients = $server->registry->ofUser($user);
    $server->checkRoute($route);

    return array_column(array_filter($clients, static fn (FakeClient $client): bool => $route === null || $client->route === $route), 'id');
}

function frankenphp_ws_sendToUser(string $user, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
{
    return Batch::call(static function () use ($user, $data, $route, $binary, $exceptId): int {
        Refusal::unlessUtf8(['user' => $user, 'route' => $route, 'exceptId' => $exceptId, 'data' => $binary ? null : $data]);
        $server = FakeServer::current();
        $server->checkRoute($route);

        return $server->deliverToAll($server->registry->ofUser($user), $data, $route, $binary, $exceptId);
    }, 0);
}

function frankenphp_ws_disconnectUser(string $user, int $code = 1000, string $reason = '', ?string $route = null): int
{
    return Batch::call(static function () use ($user, $code, $reason, $route): int {
        Refusal::unlessUtf8(['user' => $user, 'reason' => $reason, 'route' => $route]);
        Refusal::unlessClosable($code, $reason);
        $clients = frankenphp_ws_getClientsByUser($user, $route);

        return count(array_filter($clients, static fn (string $id): bool => FakeServer::current()->close($id, $code, $reason)));
    }, 0);
}

function frankenphp_ws_presence(string $tag, ?string $route = null): array
{
    Refusal::unlessUtf8(['tag' => $tag, 'route' => $route]);
    Refusal::unlessLength('tag', $tag, 255);
    $server = FakeServer::current();
    $server->checkRoute($route);

    return $server->presence->read($tag, $route);
}

function frankenphp_ws_untagClient(string $id, string $tag): bool
{
    return Batch::call(static fn (): bool => FakeServer::current()->registry->untag($id, $tag), true);
}

function frankenphp_ws_clearTagClient(string $id): bool
{
    return Batch::call(static fn (): bool => FakeServer::current()->registry->clearTags($id), true);
}

function frankenphp_ws_getTags(?string $id = null): array
{
    $registry = FakeServer::current()->registry;

    return $id === null ? $registry->tags() : $registry->known($id)->tags ?? [];
}

function frankenphp_ws_getClientsByTag(string $tag): array
{
    return array_column(FakeServer::current()->registry->tagged($tag), 'id');
}

function frankenphp_ws_getTagCount(string $tag): int
{
    return count(FakeServer::current()->registry->tagged($tag));
}

function frankenphp_ws_quoteTag(string $tag): string
{
    Refusal::unlessUtf8(['tag' => $tag]);
    if (strlen($tag) > 255) {
        throw Refusal::invalid('$tag must have at most 255 bytes, ' . strlen($tag) . ' given');
    }

    return '"' . addcslashes($tag, '"\\') . '"';
}

function frankenphp_ws_getClientsByTagExpression(string $expression): array
{
    return array_column(FakeServer::current()->registry->matching($expression), 'id');
}

function frankenphp_ws_setStoredInformation(string $id, string $key, string $value): bool
{
    return Batch::call(static function () use ($id, $key, $value): bool {
        Refusal::unlessUtf8(['id' => $id, 'key' => $key]);
        StoredInformation::checkKey($key);
        $client = FakeServer::current()->registry->known($id);
        $client?->information->set($key, $value);

        return $client !== null;
    }, true);
}

function frankenphp_ws_getStoredInformation(string $id, string $key): string
{
    Refusal::unlessUtf8(['id' => $id, 'key' => $key]);

    return FakeServer::current()->registry->known($id)?->information->get($key) ?? '';
}

function frankenphp_ws_hasStoredInformation(string $id, string $key): bool
{
    Refusal::unlessUtf8(['id' => $id, 'key' => $key]);

    return FakeServer::current()->registry->known($id)?->information->get($key) !== null;
}

function frankenphp_ws_deleteStoredInformation(string $id, string $key): bool
{
    return Batch::call(static function () use ($id, $key): bool {
        Refusal::unlessUtf8(['id' => $id, 'key' => $key]);

        return FakeServer::current()->registry->known($id)?->information->delete($key) ?? false;
    }, true);
}

function frankenphp_ws_clearStoredInformation(string $id): bool
{
    return Batch::call(static function () use ($id): bool {
        $client = FakeServer::current()->registry->known($id);
        $client?->information->clear();

        return $client !== null;
    }, true);
}

function frankenphp_ws_listStoredInformationKeys(string $id): array
{
    return array_map(strval(...), array_keys(FakeServer::current()->registry->known($id)?->information->all() ?? []));
}

function frankenphp_ws_getAllStoredInformation(string $id): array
{
    return FakeServer::current()->registry->known($id)?->information->all() ?? [];
}

function frankenphp_ws_searchStoredInformation(string $key, string $operator, string $value, ?string $route = null): array
{
    Refusal::unlessUtf8(['route' => $route, 'key' => $key]);
    $fits = StoredInformation::matcher($operator, $value);

    return array_column(array_filter(
        FakeServer::current()->live($route),
        static function (FakeClient $client) use ($key, $fits): bool {
            $stored = $client->information->get($key);

            return $stored !== null && $fits($stored);
        },
    ), 'id');
}

function frankenphp_ws_global_set(string $key, string $value, int $expireSeconds = 0): void
{
    Batch::call(static function () use ($key, $value, $expireSeconds): void {
        $server = FakeServer::current();
        $server->values->set($key, $value, $expireSeconds, $server->now());
    });
}

function frankenphp_ws_global_add(string $key, string $value, int $expireSeconds = 0): bool
{
    return Batch::call(static function () use ($key, $value, $expireSeconds): bool {
        $server = FakeServer::current();

        return $server->values->add($key, $value, $expireSeconds, $server->now());
    }, true);
}

function frankenphp_ws_global_get(string $key): string
{
    $server = FakeServer::current();

    return $server->values->get($key, $server->now()) ?? '';
}

function frankenphp_ws_global_has(string $key): bool
{
    $server = FakeServer::current();

    return $server->values->get($key, $server->now()) !== null;
}

function frankenphp_ws_global_delete(string $key): bool
{
    return Batch::call(static function () use ($key): bool {
        $server = FakeServer::current();

        return $server->values->delete($key, $server->now());
    }, true);
}

function frankenphp_ws_global_increment(string $key, int $by = 1): int
{
    return Batch::call(static function () use ($key, $by): int {
        $server = FakeServer::current();

        return $server->values->increment($key, $by, $server->now());
    }, 0);
}

function frankenphp_ws_global_ttl(string $key): ?int
{
    $server = FakeServer::current();

    return $server->values->ttl($key, $server->now());
}

function frankenphp_ws_setTimer(int $ms, string $payload, bool $repeat = false, ?string $worker = null, ?string $name = null): int
{
    return Batch::call(static function () use ($ms, $payload, $repeat, $worker, $name): int {
        if ($ms < 1 || $ms > 31_622_400_000) {
            throw Refusal::invalid("\$ms must be 1 to 31622400000 (366 days), $ms given");
        }
        if (strlen($payload) > 1 << 20) {
            throw Refusal::invalid('$payload must have at most 1048576 bytes, ' . strlen($payload) . ' given');
        }
        if ($name !== null) {
            Refusal::unlessLength('name', $name, 255);
            Refusal::unlessUtf8(['name' => $name]);
        }
        $server = FakeServer::current();
        $server->checkWorker($worker);

        return $server->timers->set($ms, $payload, $repeat, $server->now(), $name);
    }, 0);
}

function frankenphp_ws_clearTimer(int $timer): bool
{
    return Batch::call(static function () use ($timer): bool {
        return FakeServer::current()->timers->clear($timer);
    }, true);
}

function frankenphp_ws_batch(callable $calls): array
{
    return Batch::run($calls);
}

function frankenphp_ws_publish(mixed $channels, string $event, string $data, ?string $exceptSocketId = null, ?string $app = null): int
{
    return Batch::call(static function () use ($channels, $event, $data, $exceptSocketId, $app): int {
        Refusal::unlessUtf8(['event' => $event, 'data' => $data, 'exceptSocketId' => $exceptSocketId, 'app' => $app]);
        $queued = 0;
        foreach (array_unique((array) $channels) as $channel) {
            $frame = json_encode(['event' => $event, 'channel' => $channel, 'data' => $data], JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
            // Of the applications it knows what the test calls them; one that is not named is called app.
            $tagged = FakeServer::current()->registry->tagged(($app ?? 'app') . ':' . $channel);
            $queued += FakeServer::current()->deliverToAll($tagged, $frame, null, false, $exceptSocketId);
        }

        return $queued;
    }, 0);
}
