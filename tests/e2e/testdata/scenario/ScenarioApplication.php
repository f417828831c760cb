<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Client, Clients, Connection, Group, Timer, TimerApplication};

/**
 * An application that does what its clients say, by functions and by objects of the package. It makes everything comparable:
 * clients are called what they want to be called, and lists are sorted.
 */
final class ScenarioApplication implements TimerApplication
{
    public function onOpen(Connection $c): void
    {
        parse_str($c->query, $query);
        $c->rename($query['name']) || $c->close(4009, 'taken');
        $c->tag('all');
        $c->information()->set('name', $query['name']);
        $facts = [$c->id, $c->route, $c->path, $c->query, $c->headers['x-test'] ?? null, $c->cookies, $c->ip, $c->subprotocol];
        Clients::tagged('all')->except($c)->send("$c->id has come");
        // Last, since it lets the next step begin.
        $c->send(json_encode($facts, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES));
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        if ($binary) {
            $c->sendBinary(strrev($data));

            return;
        }
        $message = json_decode($data, true, 8, JSON_THROW_ON_ERROR);
        $answer = match ($message['do']) {
            'call' => self::call($message['function'], $message['arguments']),
            'throw' => throw new DomainException($message['text']),
            'fail twice' => [frankenphp_ws_failEvent('first'), frankenphp_ws_failEvent('second')],
            'join' => (new Group($message['group']))->add($c),
            'leave' => (new Group($message['group']))->remove($c),
            'is in' => (new Group($message['group']))->has($c),
            'login' => Group::user($message['user'])->add($c),
            'who' => [Group::names(), Group::users(), Group::of($c), Group::userOf($c)],
            'to group' => (new Group($message['group']))->members()->except($c)->send($message['text']),
            'to user' => Group::user($message['user'])->members()->send($message['text']),
            'to all' => Clients::all()->send($message['text']),
            'json' => [$c->sendJson($message['value']), Clients::all()->sendJson([$message['value']], JSON_FORCE_OBJECT)],
            'impossible json' => Clients::all()->sendJson(base64_decode($message['bytes'])),
            'to route' => Clients::all()->on($message['route'])->except($message['except'])->sendBinary($message['text']),
            'to matching' => Clients::matching($message['expression'])->on($message['route'])->send($message['text']),
            'fill' => self::fill($c, $message['expression'], $message['tags']),
            'count' => self::count($message['expression'], $message['route'] ?? null, $message['except'] ?? null),
            'tag each' => self::tagEach($message['expression'], $message['tag']),
            'direct' => (new Client($message['to']))->send($message['text']),
            'information' => self::information($c, $message['key'], $message['value']),
            'rename' => [$c->rename($message['id']), $c->id, $c->send('under the new name')],
            'close' => (new Client($message['client']))->close($message['code'], $message['reason']),
            'cut' => (new Client($message['client']))->cut(),
            'timer' => Timer::after(1, $message['payload']),
            'timers' => self::timers(),
            'facts' => self::facts($c),
            'gone' => self::gone(new Client($message['client'])),
            'facts later' => [$c->route, $c->path, $c->query, $c->headers, $c->cookies, $c->ip, $c->subprotocol],
        };
        if (in_array($message['do'], ['timer', 'timers', 'close', 'cut'], true)) {
            // Another thread may handle the event that follows already: an answer could come before or behind what it sends.
            return;
        }
        $c->send(json_encode(['answer' => $answer], JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE));
    }

    public function onTimer(Timer $timer): void
    {
        Clients::tagged('all')->send("timer $timer->payload");
        if (str_starts_with($timer->payload, 'every')) {
            Clients::tagged('all')->send('cancelled ' . json_encode([$timer->cancel(), $timer->cancel()]));
        }
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
        $name = $c->information()->get('name');
        Clients::tagged('all')->send("$name has gone, $code $reason, with " . implode(',', $c->tags()) . ", from $c->ip, $c->path, $c->subprotocol.");
    }

    public function onError(Connection $c, Throwable $error): void
    {
        $c->send('caught ' . $error::class . ': ' . $error->getMessage());
    }

    private static function call(string $function, array $arguments): mixed
    {
        foreach ($arguments as &$argument) {
            if (is_array($argument)) {
                $argument = str_repeat(base64_decode($argument['bytes']), $argument['times']);
            }
        }
        try {
            $value = ('frankenphp_ws_' . $function)(...$arguments);
        } catch (Throwable $error) {
            // The engines behind regular expressions have words of their own.
            return [$error::class, preg_replace('/(\$value): .*/s', '$1', $error->getMessage())];
        }
        if (is_array($value) && array_is_list($value)) {
            sort($value);
        }
        if (is_string($value) && strlen($value) > 100) {
            $value = [strlen($value), md5($value)];
        }

        return is_string($value) && preg_match('//u', $value) !== 1 ? ['base64' => base64_encode($value)] : $value;
    }

    /** What each method answers of a client that is gone. */
    private static function gone(Client $gone): array
    {
        $information = $gone->information();
        $group = new Group('kitchen');

        return [
            $gone->send('x'), $gone->sendBinary('x'), $gone->close(), $gone->cut(), $gone->tag('x'), $gone->untag('x'), $gone->tags(), $gone->hasTag('x'),
            $gone->rename('y'), $gone->id, $gone->facts(), $information->set('k', 'v'), $information->get('k'), $information->get('k', 'a default'),
            $information->has('k'), $information->delete('k'), $information->clear(), $information->all(), $group->add($gone), $group->has($gone),
            $group->remove($gone), Group::of($gone), Group::userOf($gone),
        ];
    }

    private static function timers(): void
    {
        $cleared = Timer::every(60_000, 'never');
        Timer::every(20, 'every ' . json_encode([$cleared->cancel(), $cleared->cancel()]));
    }

    private static function facts(Connection $c): array
    {
        $facts = $c->facts();
        $same = ['id', 'route', 'path', 'ip', 'subprotocol', 'transport', 'connected', 'messages_received', 'queued_bytes', 'ping_time', 'tags'];

        return [array_map(get_debug_type(...), $facts), array_intersect_key($facts, array_fill_keys($same, true))];
    }

    /** Who is matched by an expression with placeholders, where one client has these tags. */
    private static function fill(Connection $c, string $expression, array $tags): array
    {
        foreach ($tags as $tag) {
            $tag === '' || $c->tag("room_$tag");
        }
        try {
            $matched = Clients::matching($expression, ...$tags)->ids();
            sort($matched);
        } catch (Throwable $error) {
            $matched = [$error::class, $error->getMessage()];
        }
        foreach ($tags as $tag) {
            $tag === '' || $c->untag("room_$tag");
        }

        return $matched;
    }

    private static function count(?string $expression, ?string $route, ?string $except): array
    {
        $clients = $expression === null ? Clients::all() : Clients::matching($expression);
        $clients = $route === null ? $clients : $clients->on($route);
        $clients = $except === null ? $clients : $clients->except($except);
        $ids = $clients->ids();
        sort($ids);

        return [count($clients), $ids];
    }

    private static function tagEach(string $expression, string $tag): int
    {
        $tagged = 0;
        foreach (Clients::matching($expression) as $client) {
            $client->tag($tag);
            $tagged += $client->hasTag($tag) ? 1 : 0;
        }

        return $tagged;
    }

    private static function information(Connection $c, string $key, string $value): array
    {
        $information = $c->information();
        $answers = [$information->get($key), $information->get($key, 'a default'), $information->has($key)];
        $information->set($key, $value);
        array_push($answers, $information->get($key), $information->get($key, 'a default'), $information->has($key), $information->all());
        array_push($answers, $information->delete($key), $information->delete($key), $information->all());
        $information->clear();
        array_push($answers, $information->all());
        $information->set('name', $c->id);

        return $answers;
    }
}
