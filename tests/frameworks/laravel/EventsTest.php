<?php

declare(strict_types=1);

namespace Tests\Laravel;

use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\Laravel\EventApplication;
use FrankenPHP\WebSocket\Laravel\Events\CacheMissed;
use FrankenPHP\WebSocket\Laravel\Events\ChannelOccupied;
use FrankenPHP\WebSocket\Laravel\Events\ChannelSubscribed;
use FrankenPHP\WebSocket\Laravel\Events\ClientConnected;
use FrankenPHP\WebSocket\Laravel\Events\ClientDisconnected;
use FrankenPHP\WebSocket\Laravel\Events\ClientEventSent;
use FrankenPHP\WebSocket\Laravel\Events\ClientResumed;
use FrankenPHP\WebSocket\Laravel\Events\ClientSuspended;
use FrankenPHP\WebSocket\Laravel\Events\ListenerFailed;
use FrankenPHP\WebSocket\Laravel\Events\MemberJoined;
use FrankenPHP\WebSocket\Laravel\Events\MemberLeft;
use FrankenPHP\WebSocket\Laravel\Events\MessageReceived;
use FrankenPHP\WebSocket\Laravel\Events\SubscribersCounted;
use FrankenPHP\WebSocket\Laravel\Events\TimerWentOff;
use FrankenPHP\WebSocket\Laravel\Facades\WebSocket;
use FrankenPHP\WebSocket\Laravel\Sandbox;
use FrankenPHP\WebSocket\Laravel\Testing\InteractsWithWebSockets;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Testing\FakeServer;
use FrankenPHP\WebSocket\Timer;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\Config;
use Illuminate\Support\Facades\Cookie;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Lang;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\Facades\Request;

final class EventsTest extends TestCase
{
    use InteractsWithWebSockets;

    public function testWhatHappensOnConnectionsIsALaravelEvent(): void
    {
        $seen = [];
        foreach ([ClientConnected::class, MessageReceived::class, ClientSuspended::class, ClientResumed::class, ClientDisconnected::class, MemberJoined::class, MemberLeft::class, TimerWentOff::class] as $class) {
            Event::listen($class, static function (object $event) use (&$seen): void {
                $seen[] = class_basename($event) . match (true) {
                    $event instanceof MessageReceived => ' ' . $event->json()['say'],
                    $event instanceof ClientConnected => " {$event->connection->query}",
                    $event instanceof ClientDisconnected => " $event->code",
                    $event instanceof MemberJoined, $event instanceof MemberLeft => " {$event->member->user}",
                    $event instanceof TimerWentOff => " {$event->timer->payload}",
                    default => '',
                };
            });
        }
        $server = $this->webSocketServer(presence: ['app' => ['room' => 0]]);
        $client = $server->connect(query: 'a=1', tags: ['room'], user: 'ann');
        $client->send('{"say":"hello"}');
        $client->suspend();
        $client->resume();
        Timer::after(100, 'ding', 'app');
        $server->advance(100);
        $client->close(4001);
        $server->advance(1);
        sort($seen);
        self::assertSame(['ClientConnected a=1', 'ClientDisconnected 4001', 'ClientResumed', 'ClientSuspended', 'MemberJoined ann', 'MemberLeft ann', 'MessageReceived hello', 'TimerWentOff ding'], $seen);
        self::assertSame([], $server->failures);
    }

    public function testListenersOfThePusherProtocolAreTested(): void
    {
        $seen = [];
        foreach ([ChannelOccupied::class, SubscribersCounted::class, ChannelSubscribed::class, ClientEventSent::class] as $class) {
            Event::listen($class, static function (object $event) use (&$seen): void {
                $seen[] = [class_basename($event), ($event->channel ?? $event->subscriber)->tag, $event->count ?? $event->data ?? ''];
            });
        }
        Event::listen(CacheMissed::class, static fn (CacheMissed $event) => $event->channel->publish('prices', '{}'));
        $server = $this->webSocketServer(['pusher']);
        $client = $server->connect(tags: ['1:cache-a']);
        $channel = new Channel('1:cache-a', 'pusher');
        $server->tellOfChannel('channel_occupied', $channel);
        $server->tellOfChannel('subscription_count', $channel, 3);
        $server->tellOfChannel('cache_miss', $channel);
        $ann = new Subscriber('1.2', 'pusher', '1:private-b', 'ann');
        $server->tellOfSubscriber('subscribe', $ann);
        $server->tellOfSubscriber('client_event', $ann, 'client-x', '[1]');
        self::assertSame(['{"event":"prices","channel":"cache-a","data":"{}"}'], $client->take());
        $told = [['ChannelOccupied', '1:cache-a', ''], ['SubscribersCounted', '1:cache-a', 3], ['ChannelSubscribed', '1:private-b', ''], ['ClientEventSent', '1:private-b', '[1]']];
        self::assertSame($told, $seen);
        self::assertSame([], $server->failures);
    }

    public function testAnEventSeesNothingOfTheOneBefore(): void
    {
        DB::statement('CREATE TABLE notes (text TEXT)');
        DB::connection()->forgetRecordModificationState();
        $this->app['config']->set('cache.stores.rows', ['driver' => 'database', 'table' => 'cache', 'connection' => null]);
        $this->app['config']->set('database.connections.tenant', ['driver' => 'sqlite', 'database' => 'none']);
        $this->app->singleton('basket', static fn (): \ArrayObject => new \ArrayObject());
        $this->app->scoped('scoped-basket', static fn (): \ArrayObject => new \ArrayObject());
        $this->app->register(\Carbon\Laravel\ServiceProvider::class);
        $this->app->make('scoped-basket')->append('from before');
        $this->app['config']->set('frankenphp-ws.flush', ['kept']);
        $this->app->singleton('kept', static fn (): \ArrayObject => new \ArrayObject());
        $this->app->make('kept')->append('from before');
        Event::listen(MessageReceived::class, function (MessageReceived $event): void {
            $event->connection->sendJson([
                'user' => Auth::id(), 'locale' => app()->getLocale(), 'translator' => Lang::getLocale(), 'config' => Config::get('site.colour'),
                'basket' => count(app('basket')), 'scoped' => count(app('scoped-basket')), 'kept' => count(app('kept')),
                'bound' => app()->bound('late'), 'cookies' => count(Cookie::getQueuedCookies()), 'session' => session('secret'),
                'transaction' => DB::transactionLevel(), 'listeners' => count(Event::getListeners('late')), 'context' => Log::sharedContext(),
                'notes' => DB::table('notes')->count(), 'root' => url('/'),
                'carbon' => now()->subHour()->diffForHumans(), 'fallback' => Lang::getFallback(), 'input' => request('from'), 'attribute' => request()->attributes->get('who'),
                'shared' => array_key_exists('who', view()->getShared()), 'cache' => Cache::get('who'), 'modified' => DB::connection()->hasModifiedRecords(),
                'duration' => DB::totalQueryDuration() < 1000, 'tenant' => DB::connection('tenant')->getDatabaseName(), 'prefix' => Cache::store('rows')->getPrefix(),
            ]);
            $this->leaveThingsBehind();
        });
        $server = new FakeServer(new EventApplication(new Sandbox($this->app)));
        $client = $server->connect();
        $client->send('1');
        $client->send('2');
        self::assertSame([], $server->failures);
        [$first, $second] = $client->take();
        self::assertSame($first, $second);
        self::assertSame('{"user":null,"locale":"en","translator":"en","config":null,"basket":0,"scoped":0,"kept":0,"bound":false,"cookies":0,"session":null,"transaction":0,"listeners":0,"context":[],"notes":0,"root":"http://localhost",'
            . '"carbon":"1 hour ago","fallback":"en","input":null,"attribute":null,"shared":false,"cache":null,"modified":false,"duration":true,"tenant":"none","prefix":""}', $first);
    }

    public function testTheFirstEventHasARequestOfItsOwnToo(): void
    {
        self::assertNull(Request::input('from'));
        $sandbox = new Sandbox($this->app);
        $sandbox->run(static fn () => Request::merge(['from' => 'ann']));
        self::assertNull($sandbox->run(static fn (): mixed => request('from')));
    }

    public function testWhatCannotBeUndoneKeepsNothingElseFromBeingForgotten(): void
    {
        $sandbox = new Sandbox($this->app);
        try {
            $sandbox->run(function (): void {
                Auth::setUser($this->user('5'));
                app()->setLocale('de');
                // The connection is lost.
                DB::connection()->setPdo(new class ('sqlite::memory:') extends \PDO {
                    public function rollBack(): bool
                    {
                        throw new \PDOException('server has gone away');
                    }
                });
                DB::beginTransaction();
                app()->terminating(static fn () => throw new \DomainException('not at the end'));
            });
            self::fail('the end of the event has failed');
        } catch (\DomainException $error) {
            self::assertSame('not at the end', $error->getMessage());
        }
        self::assertSame([null, 'en', 0, 1], $sandbox->run(static fn (): array => [Auth::id(), app()->getLocale(), DB::transactionLevel(), DB::scalar('SELECT 1')]));
    }

    public function testWhatFailsAtTheEndOfAnEventIsReportedToo(): void
    {
        Event::listen(MessageReceived::class, static fn () => app()->terminating(static fn () => throw new \DomainException('not at the end')));
        $server = new FakeServer(new EventApplication(new Sandbox($this->app)));
        $server->connect()->send('1');
        self::assertStringStartsWith('DomainException: not at the end', $server->failures[0]);
        self::assertStringContainsString('not at the end', $this->site->log());
    }

    public function testWhatIsKeptInMemoryDoesNotGrowWithEvents(): void
    {
        $written = new \Monolog\Handler\TestHandler();
        $written->setSkipReset(true);
        Log::channel()->getLogger()->pushHandler(new \Monolog\Handler\BufferHandler($written));
        Event::listen(MessageReceived::class, static function (MessageReceived $event): void {
            Log::info($event->data);
            \Illuminate\Support\Str::snake($event->data);
            trans("validation.$event->data");
            Cache::put($event->data, $event->data);
            DB::enableQueryLog();
            DB::select('SELECT 1');
            Event::listen('late', static fn (): null => null);
            app()->terminating(static fn () => null);
        });
        $server = new FakeServer(new EventApplication(new Sandbox($this->app)));
        $client = $server->connect();
        $sizes = [];
        for ($n = 1; $n <= 600; $n++) {
            $client->send("Message$n" . str_repeat('x', 1000));
            $written->clear();
            if ($n % 300 === 0) {
                gc_collect_cycles();
                $sizes[] = memory_get_usage();
            }
        }
        self::assertSame([], $server->failures);
        self::assertLessThan(20_000, $sizes[1] - $sizes[0]);
        $client->send('the last one');
        self::assertTrue($written->hasInfo('the last one'));
    }

    public function testAnErrorThatCannotBeReportedIsStillTheCause(): void
    {
        $this->app['config']->set('logging.channels.file.path', "{$this->site->folder}/.env/no-folder");
        Event::listen(MessageReceived::class, static fn () => throw new \DomainException('not in this shop'));
        $server = new FakeServer(new EventApplication(new Sandbox($this->app)));
        $log = (string) ini_set('error_log', "{$this->site->folder}/storage/logs/server.log");
        $server->connect()->send('buy');
        ini_set('error_log', $log);
        self::assertStringStartsWith('DomainException: not in this shop', $server->failures[0]);
        self::assertStringContainsString('no-folder', $this->site->read('storage/logs/server.log'));
    }

    public function testTheUserOfATestIsThatOfItsRequestsAndNotOfEvents(): void
    {
        Event::listen(MessageReceived::class, function (MessageReceived $event): void {
            $event->connection->send('by ' . (Auth::id() ?? 'nobody'));
            Auth::setUser($this->user('7'));
        });
        $this->app['router']->get('/me', static fn (): string => 'me ' . Auth::id());
        $this->actingAs($this->user('5'));
        $client = $this->webSocketServer()->connect();
        $client->send('1');
        $client->send('2');
        self::assertSame(['by nobody', 'by nobody'], $client->take());
        $this->get('/me')->assertContent('me 5');
    }

    public function testTheFakesOfLaravelRememberWhatListenersDo(): void
    {
        Event::listen(MessageReceived::class, static function (MessageReceived $event): void {
            event(new ClientSuspended($event->connection));
            \Illuminate\Support\Facades\Queue::push('job', $event->data);
            Event::listen('late', static fn (): null => null);
            $event->connection->send((string) count(Event::getFacadeRoot()->dispatcher->getListeners('late')));
        });
        $server = $this->webSocketServer();
        Event::fake([ClientSuspended::class]);
        \Illuminate\Support\Facades\Queue::fake();
        $client = $server->connect();
        $client->send('1');
        $client->send('2');
        self::assertSame([[], ['1', '1']], [$server->failures, $client->take()]);
        Event::assertDispatched(ClientSuspended::class, 2);
        self::assertCount(2, \Illuminate\Support\Facades\Queue::pushed('job'));
    }

    public function testWhatATestHasSetUpStays(): void
    {
        DB::statement('CREATE TABLE notes (text TEXT)');
        $this->app->scoped('basket', static fn (): \ArrayObject => new \ArrayObject());
        Event::listen(MessageReceived::class, static function (MessageReceived $event): void {
            DB::table('notes')->insert(['text' => $event->data]);
            DB::beginTransaction();
            Log::info('seen');
            WebSocket::publish('news', 'seen', DB::table('notes')->count() . Cache::increment('seen') . app('basket')['of the test'] . config('site.colour'));
        });
        // As RefreshDatabase does.
        DB::beginTransaction();
        $client = $this->webSocketServer()->connect();
        $published = WebSocket::fake();
        Log::shouldReceive('info')->twice()->with('seen');
        config()->set('site.colour', 'red');
        app('basket')['of the test'] = 'x';
        $client->send('1');
        $client->send('2');
        self::assertSame([], $this->webSocketServer()->failures);
        $published->assertPublished('seen', static fn (string $data): bool => $data === '11xred');
        $published->assertPublished('seen', static fn (string $data): bool => $data === '22xred');
        self::assertSame(1, DB::transactionLevel());
        DB::rollBack();
        self::assertSame(0, DB::table('notes')->count());
    }

    public function testWhatAListenerThrowsIsReportedAndFailsTheEvent(): void
    {
        $told = [];
        Event::listen(MessageReceived::class, static fn () => throw new \DomainException('not in this shop'));
        Event::listen(ListenerFailed::class, static function (ListenerFailed $event) use (&$told): void {
            $told[] = $event->error->getMessage();
            $event->connection->send('Sorry');
        });
        $client = $this->webSocketServer()->connect();
        $client->send('buy');
        self::assertSame([['not in this shop'], ['Sorry']], [$told, $client->take()]);
        self::assertStringContainsString('DomainException: not in this shop', $this->webSocketServer()->failures[0]);
        self::assertStringContainsString('not in this shop', $this->site->log());
    }

    public function testWhatWasDeferredIsDoneWhenTheEventIsOver(): void
    {
        $done = 0;
        Event::listen(MessageReceived::class, function () use (&$done): void {
            $this->app->terminating(static function () use (&$done): void {
                $done++;
            });
        });
        $client = $this->webSocketServer()->connect();
        $client->send('1');
        $client->send('2');
        self::assertSame(2, $done);
    }

    public function testWhatLaravel11DefersIsDoneUnlessTheEventFailed(): void
    {
        // Laravel 10 does not have it: this one has the same methods.
        $this->app->scoped('Illuminate\Support\Defer\DeferredCallbackCollection', static fn (): object => new class () {
            /** @var list<object> */
            public array $callbacks = [];

            public function invokeWhen(\Closure $when): void
            {
                array_map(static fn (object $callback) => ($callback->do)(), array_filter($this->callbacks, $when));
            }
        });
        $done = [];
        Event::listen(MessageReceived::class, static function (MessageReceived $event) use (&$done): void {
            foreach ([false, true] as $always) {
                app('Illuminate\Support\Defer\DeferredCallbackCollection')->callbacks[] = (object) ['always' => $always, 'do' => static function () use (&$done, $event, $always): void {
                    $done[] = $event->data . ($always ? ' always' : '');
                }];
            }
            $event->data === 'good' || throw new \DomainException('no');
        });
        $client = $this->webSocketServer()->connect();
        $client->send('good');
        $client->send('bad');
        self::assertSame(['good', 'good always', 'bad always'], $done);
    }

    public function testAListenerMayBeQueued(): void
    {
        DB::statement('CREATE TABLE jobs (id INTEGER PRIMARY KEY, queue TEXT, payload TEXT, attempts INTEGER, reserved_at INTEGER, available_at INTEGER, created_at INTEGER)');
        Event::listen(MessageReceived::class, QueuedListener::class);
        $client = $this->webSocketServer()->connect();
        $client->send('later');
        self::assertSame([], $client->take());
        $this->artisan('queue:work', ['--once' => true])->assertSuccessful();
        self::assertSame(['later, done'], $client->take());
    }

    public function testAQueuedListenerGetsTextOnly(): void
    {
        DB::statement('CREATE TABLE jobs (id INTEGER PRIMARY KEY, queue TEXT, payload TEXT, attempts INTEGER, reserved_at INTEGER, available_at INTEGER, created_at INTEGER)');
        Event::listen(MessageReceived::class, QueuedListener::class);
        $client = $this->webSocketServer()->connect();
        $client->sendBinary("\xff");
        self::assertStringContainsString('InvalidPayloadException', $this->webSocketServer()->failures[0]);
        self::assertSame(0, DB::table('jobs')->count());
    }

    private function leaveThingsBehind(): void
    {
        Auth::setUser($this->user('5'));
        app()->setLocale('de');
        Config::set('site.colour', 'red');
        app('basket')->append('x');
        app('scoped-basket')->append('x');
        app('kept')->append('x');
        app()->instance('late', 1);
        Cookie::queue('a', 'b');
        session(['secret' => 's']);
        DB::beginTransaction();
        DB::table('notes')->insert(['text' => 'x']);
        Event::listen('late', static fn (): null => null);
        Log::shareContext(['who' => 'ann']);
        url()->forceRootUrl('http://elsewhere');
        Lang::setFallback('fr');
        Request::merge(['from' => 'ann']);
        request()->attributes->set('who', 'ann');
        view()->share('who', 'ann');
        Cache::put('who', 'ann');
        DB::connection()->logQuery('slow', [], 5000);
        config()->set('database.connections.tenant.database', ':memory:');
        config()->set('cache.prefix', 'ann:');
        Cache::forgetDriver('rows');
        Cache::store('rows')->getPrefix();
        DB::purge('tenant');
        DB::connection('tenant')->statement('CREATE TABLE own (text TEXT)');
    }
}
