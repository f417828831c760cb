<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Caller;
use FrankenPHP\WebSocket\Dispatcher;
use FrankenPHP\WebSocket\OutsideEventLoopException;

/**
 * A server in memory, to test an application with plain PHP.
 *
 *     $server = new FakeServer(static fn () => new Chat());
 *     $alice = $server->connect(query: 'name=alice');
 *     $bob = $server->connect(query: 'name=bob');
 *     $alice->send('Hello');
 *     assert($bob->take() === ['Hello'] && $server->failures === []);
 *
 * It defines the frankenphp_ws functions, so applications that call them are tested too. Tags, expressions, stored information,
 * global values and exceptions are as in the real server. An event has been handled when the method that caused it returns. Time
 * stands still but for advance(). The last server made is the one that the functions talk to.
 *
 * Given a function that makes the application, it has several of them, as a worker has one on each of its threads. Events go to them
 * in turn, and two events of one connection that follow each other never to the same. So a test fails when an application keeps in
 * properties what belongs to a connection. Static properties are common to all here, though not in the server.
 *
 * What it leaves out: limits on what clients send, sockets, threads at the same time, and frankenphp_ws_nextEvent(), so raw loops.
 */
final class FakeServer
{
    use PusherEvents;

    /** The default max_outbox of a route: nothing longer can be sent to a client. */
    private const MAX_OUTBOX = 4 << 20;

    private static ?self $current = null;

    /** @var list<string> causes of the events on which the application failed */
    public array $failures = [];

    /** @internal */
    public readonly Registry $registry;

    /** @internal */
    public readonly Values $values;

    /** @internal */
    public readonly Timers $timers;

    /** @internal */
    public readonly Histories $histories;

    /** @internal */
    public readonly Presence $presence;

    /** @var non-empty-list<Dispatcher> one for each thread */
    private readonly array $dispatchers;

    /** How many events were handed out. */
    private int $turn = 0;

    /** Milliseconds since the start. */
    private int $now = 0;

    /** @var list<array{FakeClient|null, array<string, mixed>}> */
    private array $events = [];

    /** @var list<array{FakeClient, int, string, bool}> connections that end after the current event */
    private array $ending = [];

    /** @var array{FakeClient|null, array<string, mixed>} the event that is being handled, while one is */
    private array $handling = [null, []];
    private bool $starting = false;
    private bool $dispatching = false;
    private bool $failed = false;

    /**
     * @param Application|\Closure(): Application $application  the application; a function makes one for each thread
     * @param non-empty-list<string>              $routes       names of the routes; clients come on the first unless told otherwise
     * @param string                              $worker       name of the worker, for timers set outside of it
     * @param bool                                $closeOnError as `on_error close` in the Caddyfile
     * @param \Psr\Log\LoggerInterface|null       $logger       as for Server::run()
     * @param int                                 $threads      how many a function is called for, as `num` of the worker
     * @param array<string, array<string, positive-int>> $histories how many messages to a tag are kept, by route and pattern:
     *                                                          `['app' => ['room:*' => 100]]` is `channel room:* { history 100 … }`
     * @param array<string, array<string, int>>   $presence     milliseconds of grace, by route and pattern, of channels with presence:
     *                                                          `['app' => ['room:*' => 5000]]` is `channel room:* { presence }`
     */
    public function __construct(
        Application|\Closure $application,
        public readonly array $routes = ['app'],
        private readonly string $worker = 'app',
        private readonly bool $closeOnError = false,
        ?\Psr\Log\LoggerInterface $logger = null,
        int $threads = 4,
        array $histories = [],
        array $presence = [],
    ) {
        if ($threads < 1) {
            throw Caller::blame(new \LogicException("a worker has at least one thread, not $threads"));
        }
        self::defineFunctions();
        $this->presence = new Presence($presence, function (array $event): void {
            $this->event(null, $event);
        }, $this->now(...));
        $this->registry = new Registry($this->presence);
        $this->values = new Values();
        $this->timers = new Timers();
        $this->histories = new Histories($histories);
        self::$current = $this;
        $make = $application instanceof \Closure ? $application : static fn (): Application => $application;
        $this->dispatchers = array_map(
            static fn (): Dispatcher => new Dispatcher($make(), $logger),
            range(1, $application instanceof \Closure ? $threads : 1),
        );
        $this->starting = true;
        foreach ($this->dispatchers as $dispatcher) {
            $dispatcher->start();
        }
        $this->starting = false;
    }

    /**
     * A client connects.
     *
     * @param string                $query       of the URL, without the question mark
     * @param array<string, string> $headers     by name
     * @param array<string, string> $cookies     by name
     * @param string                $subprotocol the one that was negotiated
     * @param string|null           $route       one of those given to the constructor; null: the first
     * @param string|null           $id          null: a random one
     * @param list<string>          $tags        that it has before onOpen, as where the server has authorized it
     * @param array<string, string> $information stored before onOpen, likewise
     * @param string|null           $user        whose it is, likewise
     * @param string                $userInfo    what channels with presence tell of the user
     */
    public function connect(
        string $query = '',
        string $path = '/',
        array $headers = [],
        array $cookies = [],
        string $ip = '127.0.0.1',
        string $subprotocol = '',
        ?string $route = null,
        ?string $id = null,
        array $tags = [],
        array $information = [],
        ?string $user = null,
        string $userInfo = '',
    ): FakeClient {
        $route ??= $this->routes[0];
        if (!in_array($route, $this->routes, true)) {
            throw Caller::blame(new \LogicException("the fake server has no route \"$route\", only: " . implode(', ', $this->routes)));
        }
        $id ??= rtrim(strtr(base64_encode(random_bytes(16)), '+/', '-_'), '=');
        $client = new FakeClient($id, $route, $path, $ip, $subprotocol, $this);
        $this->registry->enter($client);
        $this->registry->setUser($id, $user, $userInfo);
        foreach ($tags as $tag) {
            $this->registry->tag($id, $tag);
        }
        foreach ($information as $key => $value) {
            $client->information->set((string) $key, $value);
        }
        $this->event($client, ['type' => 'open', 'path' => $path, 'query' => $query, 'headers' => array_change_key_case($headers),
            'cookies' => $cookies, 'ip' => $ip, 'subprotocol' => $subprotocol, 'user' => $user ?? '']);

        return $client;
    }

    /** A client's message arrives. */
    public function receive(FakeClient $client, string $data, bool $binary = false): void
    {
        if (!$client->isConnected()) {
            throw Caller::blame(new \LogicException("the client $client->id is not connected any more, so it cannot send"));
        }
        if ($client->suspended) {
            throw Caller::blame(new \LogicException("the network of the client $client->id is away, so it cannot send"));
        }
        if (!$binary && preg_match('//u', $data) !== 1) {
            throw Caller::blame(new \LogicException('a text message must be UTF-8: the server closes such a connection with 1007'));
        }
        $client->arrived($data);
        $this->event($client, ['type' => 'message', 'data' => $data, 'binary' => $binary]);
    }

    /** The connection of a client breaks, and the client is waited for. */
    public function suspend(FakeClient $client): void
    {
        if (!$client->isConnected() || $client->suspended) {
            throw Caller::blame(new \LogicException("the client $client->id has no connection that could break"));
        }
        $client->suspended = true;
        $this->event($client, ['type' => 'suspend']);
    }

    /**
     * A client that was waited for is back.
     *
     * @param array<string, mixed> $event what the application is told
     */
    public function resume(FakeClient $client, array $event): void
    {
        if (!$client->isConnected() || !$client->suspended) {
            throw Caller::blame(new \LogicException("the client $client->id is not away, so it cannot come back"));
        }
        $client->suspended = false;
        $this->event($client, $event);
    }

    /** A client goes. */
    public function disconnect(FakeClient $client, int $code = 1000, string $reason = '', bool $clean = true): void
    {
        $this->end($client, $code, $reason, $clean);
    }

    /** Lets time pass: values expire, timers go off when they are due, and users leave channels when their time of grace is over. */
    public function advance(int $milliseconds): void
    {
        $until = $this->now + $milliseconds;
        while (($due = min($this->timers->due() ?? PHP_INT_MAX, $this->presence->due() ?? PHP_INT_MAX)) <= $until) {
            $this->now = $due;
            if ($this->timers->due() === $due) {
                $this->event(null, $this->timers->take($due));
            } else {
                $this->presence->endGrace($due);
            }
        }
        $this->now = $until;
    }

    /** @internal milliseconds since the start */
    public function now(): int
    {
        return $this->now;
    }

    /** @internal the server that the functions talk to */
    public static function current(): self
    {
        return self::$current ?? throw Caller::blame(new \LogicException('bug: the functions are defined when the first server is made'));
    }

    /** @internal */
    public function checkWorker(?string $worker): void
    {
        if ($worker === null && !$this->dispatching && !$this->starting) {
            throw Refusal::invalid('$worker must be named outside of a worker that handles WebSocket events');
        }
        if ($worker !== null && $worker !== $this->worker) {
            throw Refusal::invalid("no worker that handles WebSocket events is named \"$worker\": a websocket directive names it");
        }
    }

    /**
     * @internal
     *
     * @return list<FakeClient>
     */
    public function live(?string $route): array
    {
        $this->checkRoute($route);

        return $this->registry->live($route);
    }

    /** @internal */
    public function checkRoute(?string $route): void
    {
        Refusal::unlessUtf8(['route' => $route]);
        if ($route !== null && !in_array($route, $this->routes, true)) {
            throw Refusal::unknownRoute($route, $this->routes);
        }
    }

    /** @internal whether it was queued */
    public function deliver(FakeClient $client, string $data, bool $binary): bool
    {
        if ($client->stalled || self::isTooLarge($data)) {
            return false;
        }
        $client->received[] = new FakeMessage($data, $binary);

        return true;
    }

    /**
     * @internal
     *
     * @param list<FakeClient> $clients
     *
     * @return int for how many it was queued
     */
    public function deliverToAll(array $clients, string $data, ?string $route, bool $binary, ?string $exceptId): int
    {
        $queued = 0;
        foreach ($clients as $client) {
            $wanted = $client->id !== $exceptId && ($route === null || $client->route === $route);
            $queued += $wanted && $this->deliver($client, $data, $binary) ? 1 : 0;
        }

        return $queued;
    }

    /** @internal */
    public static function isTooLarge(string $data): bool
    {
        return strlen($data) > self::MAX_OUTBOX;
    }

    /**
     * @internal the server ends a connection: from now on nothing of it reaches the application but its close event
     *
     * @return bool false: the client is gone
     */
    public function close(string $id, int $code, string $reason): bool
    {
        $client = $this->registry->find($id);
        if ($client === null || !$this->dismiss($client)) {
            return false;
        }
        $this->end($client, $code, $reason, true);

        return true;
    }

    /**
     * @internal the same without a closing handshake, or instead of one that has begun
     *
     * @return bool false: the client is gone, and its connection has ended
     */
    public function cut(string $id): bool
    {
        $client = $this->registry->find($id);
        $reason = 'the server cut the connection';
        if ($client === null) {
            return false;
        }
        if ($this->dismiss($client)) {
            $this->end($client, 1006, $reason, false);

            return true;
        }
        foreach ($this->ending as &$ending) {
            if ($ending[0] === $client) {
                // The first code counts: it says why the connection ended.
                [$client->closeCode, $client->closeReason, $ending[2], $ending[3]] = [1006, '', $reason, false];

                return true;
            }
        }

        return false;
    }

    /** Nothing that the client has sent is handled any more. False: it had ended already. */
    private function dismiss(FakeClient $client): bool
    {
        $waiting = count($this->events);
        $this->events = array_values(array_filter(
            $this->events,
            static fn (array $event): bool => $event[0] !== $client || $event[1]['type'] !== 'message',
        ));
        $client->discarded += $waiting - count($this->events);
        $live = $client->live && $client->isConnected();
        $this->registry->unlist($client);

        return $live;
    }

    /** The connection ends when the current event has been handled. */
    private function end(FakeClient $client, int $code, string $reason, bool $clean): void
    {
        if (!$client->isConnected()) {
            return;
        }
        [$client->closeCode, $client->closeReason] = [$code, $clean ? $reason : ''];
        $this->ending[] = [$client, $code, $reason, $clean];
        $this->settle();
    }

    /** @internal */
    public function failEvent(string $cause): void
    {
        if (!$this->dispatching) {
            throw Caller::blame(new OutsideEventLoopException('frankenphp_ws_failEvent(): no event is being handled'));
        }
        if ($this->failed) {
            return;
        }
        $this->failed = true;
        $this->failures[] = $cause;
        [$client, $event] = $this->handling;
        // Who has not been let in does not stay.
        if ($client !== null && ($this->closeOnError || $event['type'] === 'open')) {
            $this->close($client->id, 1011, '');
        }
    }

    /** @param array<string, mixed> $event */
    private function event(?FakeClient $client, array $event): void
    {
        $this->events[] = [$client, $event];
        $this->settle();
    }

    /** Handles events until there are none. What an application does in one may lead to others. */
    private function settle(): void
    {
        if ($this->dispatching) {
            return;
        }
        $this->dispatching = true;
        try {
            $this->endConnections();
            while (($next = array_shift($this->events)) !== null) {
                [$client, $event] = $this->handling = $next;
                $this->failed = false;
                $this->next($client)->dispatch($client === null ? $event : ['id' => $client->id, 'route' => $client->route] + $event);
                if ($event['type'] === 'close') {
                    $this->registry->forget($client);
                }
                $this->endConnections();
            }
        } finally {
            $this->dispatching = false;
        }
    }

    /** The thread that is given the next event: in turn, but not the one that had the last event of the same connection. */
    private function next(?FakeClient $client): Dispatcher
    {
        $threads = count($this->dispatchers);
        if ($client !== null && $threads > 1 && $client->thread === $this->turn % $threads) {
            $this->turn++;
        }
        $thread = $this->turn++ % $threads;
        if ($client !== null) {
            $client->thread = $thread;
        }

        return $this->dispatchers[$thread];
    }

    private function endConnections(): void
    {
        foreach ($this->ending as [$client, $code, $reason, $clean]) {
            $this->registry->unlist($client);
            $this->events[] = [$client, ['type' => 'close', 'code' => $code, 'reason' => $reason, 'clean' => $clean]];
        }
        $this->ending = [];
    }

    private static function defineFunctions(): void
    {
        if (\function_exists('frankenphp_ws_send') && (new \ReflectionFunction('frankenphp_ws_send'))->isInternal()) {
            throw Caller::blame(new \LogicException('this PHP is inside FrankenPHP and has the real functions: run tests that use ' . self::class . ' with the ordinary php command'));
        }
        if (!class_exists(OutsideEventLoopException::class)) {
            require __DIR__ . '/../../fake/exceptions.php';
        }
        require_once __DIR__ . '/../../fake/functions.php';
    }
}
