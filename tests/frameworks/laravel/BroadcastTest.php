<?php

declare(strict_types=1);

namespace Tests\Laravel;

use FrankenPHP\WebSocket\Laravel\Facades\WebSocket;
use FrankenPHP\WebSocket\Laravel\FrankenPhpBroadcaster;
use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Message;
use FrankenPHP\WebSocket\Pusher\Signer;
use Illuminate\Broadcasting\BroadcastException;
use Illuminate\Broadcasting\BroadcastManager;
use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Http\Client\Request;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Http;
use PHPUnit\Framework\AssertionFailedError;

final class BroadcastTest extends TestCase
{
    public function testThePackageIsDiscoveredAndItsBroadcasterIsThere(): void
    {
        self::assertInstanceOf(FrankenPhpBroadcaster::class, $this->app->make(BroadcastManager::class)->connection());
        self::assertContains('frankenphp-ws:install', array_keys(Artisan::all()));
        self::assertSame(WebSocket::class, (new \ReflectionClass('WebSocket'))->getName());
    }

    public function testAnEventIsSentByTheSignedHttpApi(): void
    {
        Http::fake(['*' => Http::response('{}')]);
        $this->app['config']->set('queue.default', 'sync');
        OrderPaid::dispatch(7);
        Http::assertSentCount(1);
        Http::assertSent(static function (Request $request): bool {
            parse_str((string) parse_url($request->url(), PHP_URL_QUERY), $query);
            $body = $request->body();
            self::assertSame('{"name":"Tests\\\\Laravel\\\\OrderPaid","channels":["private-orders.7","news"],"data":"{\"order\":7}"}', $body);
            $signed = (new Signer(new App('1', 'key', 'secret')))->query('POST', '/apps/1/events', $body, (int) $query['auth_timestamp']);

            return $request->url() === "http://localhost/apps/1/events?$signed" && $request->header('Content-Type') === ['application/json'];
        });
    }

    public function testAQueuedEventIsSentByTheQueueWorker(): void
    {
        DB::statement('CREATE TABLE jobs (id INTEGER PRIMARY KEY, queue TEXT, payload TEXT, attempts INTEGER, reserved_at INTEGER, available_at INTEGER, created_at INTEGER)');
        $published = WebSocket::fake();
        OrderPaid::dispatch(7);
        $published->assertNothingPublished();
        Artisan::call('queue:work', ['--once' => true]);
        $published->assertPublishedTo('private-orders.7', OrderPaid::class);
    }

    public function testTheOneWhoCausedAnEventIsLeftOut(): void
    {
        $published = WebSocket::fake();
        $this->app['config']->set('queue.default', 'sync');
        $this->app['router']->post('/pay', static fn () => broadcast(new OrderPaid(7))->toOthers() && false);
        $this->post('/pay', [], ['X-Socket-ID' => '12.34']);
        $published->assertPublishedToOthers(OrderPaid::class, '12.34');
        $published->assertPublished(OrderPaid::class, static fn (array $data, Message $message): bool => $data === ['order' => 7]);
    }

    public function testAHeaderThatIsNoSocketIdLeavesNobodyOut(): void
    {
        $published = WebSocket::fake();
        Broadcast::connection()->broadcast(['news'], 'e', ['socket' => 'undefined']);
        $published->assertPublished('e', static fn (mixed $data, Message $message): bool => $message->exceptSocketId === null);
    }

    public function testTheFacadeTakesWhatLaravelHasChannelsAndTheHeaderAsItIs(): void
    {
        $published = WebSocket::fake();
        $this->app['router']->post('/flash', static fn (\Illuminate\Http\Request $request) => WebSocket::publish(
            [new PrivateChannel('news'), 'news'],
            'flash',
            'Hello',
            except: $request->header('X-Socket-ID'),
        ));
        $this->post('/flash', headers: ['X-Socket-ID' => 'undefined'])->assertOk();
        $this->post('/flash', headers: ['X-Socket-ID' => '1.2'])->assertOk();
        WebSocket::publish(new PrivateChannel('one'), 'flash');
        $shown = array_map(static fn (Message $message): array => [$message->channels, $message->exceptSocketId], $published->published('flash'));
        self::assertSame([[['private-news', 'news'], null], [['private-news', 'news'], '1.2'], [['private-one'], null]], $shown);
    }

    public function testAPasswordInTheAddressIsInNoMessage(): void
    {
        foreach (['http://site:hidden@127.0.0.1:1', 'ftp://site:hidden@example.com'] as $url) {
            $this->app['config']->set('frankenphp-ws.url', $url);
            try {
                Broadcast::connection()->broadcast(['news'], 'e', []);
                self::fail('nobody answers there');
            } catch (BroadcastException $error) {
                report($error);
            }
        }
        self::assertStringContainsString('the HTTP API at http://…@127.0.0.1:1 did not answer', $this->site->log());
        self::assertStringContainsString('not \"ftp://…@example.com\"', $this->site->log());
        self::assertStringNotContainsString('hidden', $this->site->log());
    }

    public function testWhatTheServerRefusesIsABroadcastException(): void
    {
        Http::fake(['*' => Http::response('Invalid signature', 401)]);
        $this->expectException(BroadcastException::class);
        $this->expectExceptionMessage('answered 401 (is the secret that of the Caddyfile');
        Broadcast::connection()->broadcast(['news'], 'e', []);
    }

    public function testASignatureIsInNoLog(): void
    {
        $this->app['config']->set('frankenphp-ws.url', 'http://127.0.0.1:1');
        try {
            Broadcast::connection()->broadcast(['news'], 'e', []);
            self::fail('nobody answers there');
        } catch (BroadcastException $error) {
            report($error);
        }
        self::assertStringContainsString('the HTTP API at http://127.0.0.1:1 did not answer: cURL error 7', $this->site->log());
        self::assertStringContainsString('auth_signature=…', $this->site->log());
        self::assertDoesNotMatchRegularExpression('/auth_signature=\w/', $this->site->log());
    }

    public function testWithoutAnyWayTheMessageSaysWhatToConfigure(): void
    {
        $this->app['config']->set('frankenphp-ws.url', null);
        $this->expectException(BroadcastException::class);
        $this->expectExceptionMessage('Run the script by `frankenphp php-cli`, or configure the URL of the site');
        Broadcast::connection()->broadcast(['news'], 'e', []);
    }

    public function testAConnectionForReverbIsUnderstoodAsItIs(): void
    {
        Http::fake(['*' => Http::response('{}')]);
        $this->app['config']->set('broadcasting.connections.reverb', [
            'driver' => 'frankenphp', 'key' => 'k', 'secret' => 's', 'app_id' => '9',
            'options' => ['host' => 'site.example', 'port' => 8443, 'scheme' => 'https', 'useTLS' => true],
        ]);
        Broadcast::connection('reverb')->broadcast(['news'], 'e', []);
        Http::assertSent(static fn (Request $request): bool => str_starts_with($request->url(), 'https://site.example:8443/apps/9/events?auth_key=k&'));
    }

    public function testAConnectionForPusherGoesToTheSiteAndNeverToPusher(): void
    {
        Http::fake(['*' => Http::response('{}')]);
        // As config/broadcasting.php of Laravel.
        $pusher = ['driver' => 'frankenphp', 'key' => 'k', 'secret' => 's', 'app_id' => '9', 'options' => [
            'cluster' => 'mt1', 'host' => 'api-mt1.pusher.com', 'port' => 443, 'scheme' => 'https', 'encrypted' => true, 'useTLS' => true,
        ], 'client_options' => []];
        $this->app['config']->set('broadcasting.connections.pusher', $pusher);
        Broadcast::connection('pusher')->broadcast(['news'], 'e', []);
        $pusher['options'] = ['host' => 'site.example', 'port' => 443, 'scheme' => 'https', 'path' => '/ws'];
        $this->app['config']->set('broadcasting.connections.behind', $pusher);
        Broadcast::connection('behind')->broadcast(['news'], 'e', []);
        $pusher['options'] = ['host' => 'site.example', 'port' => '', 'scheme' => '', 'useTLS' => false];
        $this->app['config']->set('broadcasting.connections.empty', $pusher);
        Broadcast::connection('empty')->broadcast(['news'], 'e', []);
        $urls = Http::recorded()->map(static fn (array $pair): string => explode('?', $pair[0]->url())[0])->all();
        self::assertSame(['http://localhost/apps/9/events', 'https://site.example/ws/apps/9/events', 'http://site.example/apps/9/events'], $urls);
    }

    public function testTheDriverMayBeBoundToTheManagerAsLaravel12Does(): void
    {
        $manager = $this->app->make(BroadcastManager::class);
        $creators = (new \ReflectionProperty($manager, 'customCreators'))->getValue($manager);
        $bound = $creators['frankenphp']->bindTo($manager, $manager);
        self::assertInstanceOf(FrankenPhpBroadcaster::class, $bound($this->app, ['driver' => 'frankenphp']));
    }

    public function testTheFakeSaysWhereBroadcastsGoInTests(): void
    {
        $published = WebSocket::fake();
        $this->app['config']->set(['broadcasting.default' => 'null', 'broadcasting.connections.null' => ['driver' => 'null'], 'queue.default' => 'sync']);
        OrderPaid::dispatch(7);
        $this->expectException(AssertionFailedError::class);
        $this->expectExceptionMessage('Nothing was published. Broadcasts go by the connection "null" here, whose driver is not "frankenphp": does phpunit.xml set BROADCAST_CONNECTION?');
        $published->assertPublishedTo('private-orders.7', OrderPaid::class);
    }

    public function testTheFakeSaysWhatWasPublishedInstead(): void
    {
        $published = WebSocket::fake();
        WebSocket::publish('news', 'flash', ['n' => 1]);
        $published->assertPublishedTimes('flash', 1);
        $published->assertNotPublished('flash', static fn (array $data): bool => $data['n'] === 2);
        foreach ([
            'The event [other] was not published. Published was:' => static fn () => $published->assertPublished('other'),
            'The event [flash] was not published to [x]' => static fn () => $published->assertPublishedTo('x', 'flash'),
            'Something was published. Published was:' => static fn () => $published->assertNothingPublished(),
        ] as $message => $wrong) {
            try {
                $wrong();
                self::fail("nothing was said of: $message");
            } catch (AssertionFailedError $error) {
                self::assertStringContainsString($message, $error->getMessage());
            }
        }
    }
}
