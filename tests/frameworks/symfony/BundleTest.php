<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Channel;
use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Signer;
use FrankenPHP\WebSocket\Subscriber;
use FrankenPHP\WebSocket\Symfony\Messenger\Publish;
use FrankenPHP\WebSocket\Symfony\Profiler\WebSocketCollector;
use FrankenPHP\WebSocket\Symfony\Testing\InteractsWithWebSockets;
use FrankenPHP\WebSocket\Timer;
use Symfony\Bundle\FrameworkBundle\KernelBrowser;
use Symfony\Bundle\FrameworkBundle\Test\WebTestCase;

final class BundleTest extends WebTestCase
{
    use InteractsWithWebSockets;

    protected static function getKernelClass(): string
    {
        return TestKernel::class;
    }

    protected function tearDown(): void
    {
        parent::tearDown();
        // Symfony leaves the one that it has set when it started.
        restore_exception_handler();
    }

    public static function tearDownAfterClass(): void
    {
        parent::tearDownAfterClass();
        (new \Symfony\Component\Filesystem\Filesystem())->remove((new TestKernel('test', true))->getProjectDir());
    }

    public function testEachRouteHasItsHandlerAndServicesAreResetBetweenEvents(): void
    {
        $server = self::webSocketServer(['chat', 'lobby', 'hall', 'other'], ['chat' => ['room' => 0]]);
        $ann = self::connectWebSocket('chat', user: 'ann');
        self::assertSame(['ann is in'], $ann->take());
        $ann->send('1');
        $ann->send('2');
        self::assertSame(['1, basket 0, user ROLE_USER', '2, basket 0, user ROLE_USER'], $ann->take());
        foreach (['lobby', 'hall'] as $route) {
            $client = self::connectWebSocket($route);
            $client->send('hello');
            self::assertSame(["$route: hello"], $client->take());
        }
        Timer::after(10, 'ding', 'app');
        $server->advance(10);
        self::assertSame(['ding'], $ann->take());
        self::assertSame(1008, self::connectWebSocket('other')->closeCode);
        self::assertContains('The route "other" has no handler: the client is closed with 1008. A service with #[AsWebSocketHandler] is missing.', self::getContainer()->get('logger')->records);
        self::assertSame([], $server->failures);
    }

    public function testHandlersOfThePusherProtocolAreTested(): void
    {
        $server = self::webSocketServer(['pusher']);
        $client = $server->connect(tags: ['1:cache-a', '1:private-b']);
        $server->tellOfChannel('cache_miss', new Channel('1:cache-a', 'pusher'));
        $server->tellOfSubscriber('subscribe', new Subscriber('1.2', 'pusher', '1:private-b', 'ann'));
        self::assertSame(['{"event":"state","channel":"cache-a","data":"\"missed\""}', '{"event":"came","channel":"private-b","data":"[\"ann\",1]"}'], $client->take());
        self::assertSame([], $server->failures);
    }

    public function testWhatAHandlerThrowsIsLoggedAndFailsTheEvent(): void
    {
        $client = self::connectWebSocket('chat');
        $client->send('throw');
        self::assertSame(['Sorry: not in this shop'], $client->take());
        self::assertStringContainsString('DomainException: not in this shop', self::webSocketServer()->failures[0]);
        self::assertContains('A WebSocket handler failed: not in this shop', self::getContainer()->get('logger')->records);
    }

    public function testHandlersPublish(): void
    {
        self::connectWebSocket('chat', user: 'ann')->send('publish');
        self::assertPublished('said', 'news');
        self::assertSame('{"by":"ann"}', self::publishedMessages('said')[0]->data);
    }

    public function testTheServerIsToldWhoIsLoggedIn(): void
    {
        $browser = self::createClient();
        $browser->request('GET', '/_websocket/authorize/chat');
        self::assertResponseStatusCodeSame(401);
        $browser->loginUser(new Person('ann'));
        $browser->request('GET', '/_websocket/authorize/chat');
        self::assertResponseStatusCodeSame(204);
        self::assertResponseHeaderSame('WebSocket-Authorize', 'accept');
        self::assertResponseHeaderSame('WebSocket-User', 'ann');
        self::assertResponseHeaderSame('WebSocket-User-Info', rawurlencode('{"name":"Anné"}'));
        $browser->request('GET', '/_websocket/authorize/admin');
        self::assertResponseStatusCodeSame(403);
        $browser->loginUser(new Person('bob'));
        $browser->request('GET', '/_websocket/authorize/admin');
        self::assertResponseStatusCodeSame(204);
    }

    public function testVotersDecideAboutChannels(): void
    {
        $browser = self::createClient();
        $signer = new Signer(new App('1', 'key', 'secret'));
        self::assertSame(403, self::ask($browser, 'private-orders.7')[0]);
        $browser->loginUser(new Person('ann'));
        self::assertSame([200, ['auth' => $signer->channel('1.2', 'private-orders.7')]], self::ask($browser, 'private-orders.7'));
        $data = '{"user_id":"ann","user_info":{"name":"Anné"}}';
        self::assertSame([200, ['auth' => $signer->channel('1.2', 'presence-room', $data), 'channel_data' => $data]], self::ask($browser, 'presence-room'));
        self::assertSame(403, self::ask($browser, 'private-orders.8')[0]);
        self::assertSame(403, self::ask($browser, 'private-orders.7', '1.2:x')[0]);
        $browser->request('POST', '/_websocket/user-auth', ['socket_id' => '1.2']);
        $user = '{"id":"ann","user_info":{"name":"Anné"}}';
        self::assertSame(['auth' => $signer->user('1.2', $user), 'user_data' => $user], json_decode((string) $browser->getResponse()->getContent(), true));
    }

    public function testThePublisherIsAutowiredAndTheProfilerShowsWhatWasPublished(): void
    {
        $browser = self::createClient();
        $browser->enableProfiler();
        $browser->request('GET', '/pay/7');
        self::assertPublished('order.paid', 'private-orders.7');
        $collector = $browser->getProfile()->getCollector(WebSocketCollector::class);
        self::assertInstanceOf(WebSocketCollector::class, $collector);
        self::assertSame(['order.paid'], array_column($collector->getMessages(), 'event'));
        $page = $browser->request('GET', '/_profiler/' . $browser->getProfile()->getToken() . '?panel=' . rawurlencode(WebSocketCollector::class));
        self::assertResponseIsSuccessful();
        self::assertStringContainsString('private-orders.7', $page->filter('table')->text());
    }

    public function testMessengerPublishesInTheBackground(): void
    {
        $browser = self::createClient();
        $browser->disableReboot();
        $browser->request('GET', '/later');
        self::assertNothingPublished();
        $sent = self::getContainer()->get('messenger.transport.later')->getSent();
        self::assertInstanceOf(Publish::class, $sent[0]->getMessage());
        self::getContainer()->get('messenger.default_bus')->dispatch($sent[0]->with(new \Symfony\Component\Messenger\Stamp\ReceivedStamp('later')));
        self::assertPublished('later', 'news');
        self::assertSame('1.2', self::publishedMessages('later')[0]->exceptSocketId);
    }

    public function testConnectionsAndWhatWasPublishedStayOverSeveralRequestsOfATest(): void
    {
        $browser = self::createClient();
        $client = self::connectWebSocket('chat', user: 'ann');
        foreach ([7, 8] as $order) {
            $browser->request('GET', "/pay/$order");
        }
        $client->send('publish');
        self::assertSame(['publish, basket 0, user ROLE_USER'], $client->take());
        self::assertSame([['order.paid', 'private-orders.7'], ['order.paid', 'private-orders.8'], ['said', 'news']], array_map(
            static fn (\FrankenPHP\WebSocket\Pusher\Message $message): array => [$message->event, $message->channels[0]],
            self::publishedMessages(),
        ));
        self::assertSame([], self::webSocketServer()->failures);
    }

    public function testATestHasAKernelOfItsOwnInWhichNothingWasPublished(): void
    {
        self::connectWebSocket('chat')->send('publish');
        self::assertPublished('said');
        self::ensureKernelShutdown();
        self::bootKernel();
        self::assertNothingPublished();
        self::connectWebSocket('lobby')->send('hello');
        self::assertNothingPublished();
    }

    public function testATestFindsWhatAnEventHasLeftInServices(): void
    {
        self::connectWebSocket('chat')->send('later');
        self::assertCount(1, self::getContainer()->get('messenger.transport.later')->getSent());
    }

    /** @return array{int, array<string, string>} */
    private static function ask(KernelBrowser $browser, string $channel, string $socketId = '1.2'): array
    {
        $browser->request('POST', '/_websocket/auth', ['socket_id' => $socketId, 'channel_name' => $channel]);

        return [$browser->getResponse()->getStatusCode(), json_decode((string) $browser->getResponse()->getContent(), true)];
    }
}
