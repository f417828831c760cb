<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Symfony\EventApplication;
use FrankenPHP\WebSocket\Symfony\Profiler\PublishedMessages;
use FrankenPHP\WebSocket\Symfony\Profiler\WebSocketCollector;
use FrankenPHP\WebSocket\Testing\FakeServer;
use PHPUnit\Framework\TestCase;
use Symfony\Bundle\FrameworkBundle\Console\Application;
use Symfony\Bundle\SecurityBundle\SecurityBundle;
use Symfony\Bundle\TwigBundle\TwigBundle;
use Symfony\Bundle\WebProfilerBundle\WebProfilerBundle;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Output\BufferedOutput;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\Filesystem\Filesystem;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;

/** What the configuration says, in kernels that have little else. */
final class ConfigurationTest extends TestCase
{
    private const APP = ['id' => '1', 'key' => 'key', 'secret' => 'secret'];

    /** @var callable|null */
    private $handler;

    protected function setUp(): void
    {
        $this->handler = self::handler();
    }

    protected function tearDown(): void
    {
        (new Filesystem())->remove((new TestKernel('test', true))->getProjectDir());
        unset($_ENV['TIMEOUT']);
        // Each kernel that has started leaves some.
        while (self::handler() !== $this->handler) {
            restore_exception_handler();
        }
    }

    public function testAnApplicationWithoutOtherBundlesHasAContainerWithoutMistakes(): void
    {
        self::assertStringContainsString('[OK]', self::console(new ConfiguredKernel(), 'lint:container'));
    }

    public function testCommandsAreListedWhereThereIsNoHttpClient(): void
    {
        $kernel = new ConfiguredKernel(['admin' => 'http://localhost/no-endpoint'], framework: ['http_client' => ['enabled' => false]]);
        self::assertStringContainsString('"frankenphp-ws:clients"', self::console($kernel, 'list', ['--format' => 'json']));
        self::assertStringContainsString('composer require symfony/http-client', (string) preg_replace('/\s+/', ' ', self::console($kernel, 'frankenphp-ws:stats')));
    }

    /** @param array<string, mixed> $bundle */
    #[\PHPUnit\Framework\Attributes\DataProvider('mistakes')]
    public function testWhatCanNeverWorkIsSaidWhenTheContainerIsBuilt(array $bundle, string $message): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage($message);
        (new ConfiguredKernel($bundle))->boot();
    }

    /** @return array<string, array{array<string, mixed>, string}> */
    public static function mistakes(): array
    {
        return [
            'another way' => [['way' => 'pigeon'], 'frankenphp_ws.way: there is no way "pigeon" to publish, only: auto, process, control, http'],
            'no time' => [['timeout' => 0], 'frankenphp_ws.timeout: the timeout must be more than 0 seconds, not 0'],
            'half an application' => [['app' => ['id' => '1', 'key' => 'key']], 'frankenphp_ws.app: the secret of the Pusher application is empty'],
            'a key that is none' => [['encryption_master_key' => 'short'], 'frankenphp_ws.encryption_master_key: the master key of encrypted channels must be 32 bytes'],
            'a test that may publish' => [['record' => '%env(bool:RECORD)%'], 'frankenphp_ws.record must be true or false, and no variable of the environment'],
        ];
    }

    public function testWhatComesFromTheEnvironmentIsCheckedWhenItIsNeeded(): void
    {
        $_ENV['TIMEOUT'] = '-1';
        $kernel = new ConfiguredKernel([
            'app' => ['id' => '%env(int:WS_ID)%', 'key' => '%env(WS_KEY)%', 'secret' => '%env(WS_SECRET)%'], 'way' => '%env(WS_WAY)%', 'url' => 'https://%env(WS_HOST)%',
            'timeout' => '%env(float:TIMEOUT)%', 'encryption_master_key' => '%env(WS_MASTER)%', 'admin' => '%env(WS_ADMIN)%', 'anonymous' => '%env(bool:ANYBODY)%',
        ]);
        $kernel->boot();
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage('the timeout must be more than 0 seconds, not -1');
        $kernel = new ConfiguredKernel(['app' => self::APP, 'url' => 'https://site.example', 'way' => 'http', 'timeout' => '%env(float:TIMEOUT)%'], framework: ['http_client' => ['enabled' => true]]);
        $kernel->boot();
        $kernel->getContainer()->get('test.service_container')->get(Publisher::class)->publish('news', 'e');
    }

    public function testPagesThatPublishNothingDoNotNeedWhatThePublisherNeedsThoughTheProfilerIsThere(): void
    {
        $kernel = new ConfiguredKernel(['app' => ['id' => '%env(NOT_SET_ID)%', 'key' => 'key', 'secret' => 'secret']], [new TwigBundle(), new WebProfilerBundle()], ['profiler' => ['collect' => true]]);
        $response = $kernel->handle($request = Request::create('/page'));
        $kernel->terminate($request, $response);
        self::assertSame(200, $response->getStatusCode());
    }

    public function testTheProfilerKeepsSomeOfWhatIsPublishedAndNothingOfEncryptedChannels(): void
    {
        $kernel = new ConfiguredKernel(
            ['app' => self::APP, 'record' => true, 'encryption_master_key' => base64_encode(str_repeat('k', 32))],
            [new TwigBundle(), new WebProfilerBundle()],
            ['profiler' => ['collect' => false]],
        );
        $kernel->boot();
        $container = $kernel->getContainer()->get('test.service_container');
        $publisher = $container->get(Publisher::class);
        $publisher->publish(['news', 'private-encrypted-accounts'], 'paid', ['iban' => 'DE02']);
        $publisher->publish('news', 'told', ['n' => 1]);
        for ($i = 0; $i < PublishedMessages::MAX; $i++) {
            $publisher->publish('news', 'told');
        }
        $collector = $kernel->getContainer()->get('profiler')->get(WebSocketCollector::class);
        $collector->collect(new Request(), new Response());
        $collector->lateCollect();
        $collector = unserialize(serialize($collector));
        self::assertStringNotContainsString('DE02', serialize($collector));
        self::assertSame(['n' => 1], $collector->getMessages()[1]['data']->getValue(true));
        self::assertSame([PublishedMessages::MAX, 2], [count($collector->getMessages()), $collector->getMore()]);
        $kernel->getContainer()->get('services_resetter')->reset();
        self::assertSame([], $container->get(PublishedMessages::class)->all());
    }

    public function testTheProfilerShowsWhatClientsSayAsText(): void
    {
        $kernel = new ConfiguredKernel(['app' => self::APP, 'record' => true], [new TwigBundle(), new WebProfilerBundle()], ['profiler' => ['collect' => false]]);
        $kernel->boot();
        $container = $kernel->getContainer()->get('test.service_container');
        $container->get(Publisher::class)->publish('news', '<script>alert(1)</script>', ['<img src=x>' => '<script>alert(2)</script>']);
        $collector = $kernel->getContainer()->get('profiler')->get(WebSocketCollector::class);
        $collector->lateCollect();
        $panel = $container->get('twig')->load('@FrankenPhpWebSocket/collector.html.twig')->renderBlock('panel', ['collector' => $collector]);
        self::assertStringContainsString('&lt;script&gt;alert(1)', $panel);
        self::assertStringNotContainsString('<script>alert', $panel);
        self::assertStringNotContainsString('<img src', $panel);
    }

    public function testAnEventLeavesNoLocaleAndNoUserToTheNext(): void
    {
        $kernel = new ConfiguredKernel([], [new SecurityBundle()], ['translator' => ['enabled' => true], 'default_locale' => 'fr'], static function (ContainerConfigurator $container): void {
            $container->extension('security', ['providers' => ['none' => ['memory' => ['users' => []]]], 'firewalls' => ['main' => ['security' => true]]]);
            $container->services()->set(Traveller::class)->autowire()->autoconfigure();
        });
        $kernel->boot();
        $application = $kernel->getContainer()->get(EventApplication::class);
        $server = new FakeServer($application);
        $client = $server->connect();
        $client->send('de');
        $client->send('de');
        self::assertSame(['fr fr nobody', 'fr fr nobody'], $client->take());
        self::assertSame([], $server->failures);
    }

    public function testWhoIsSentToTheLoginIsNotLetIn(): void
    {
        $kernel = new ConfiguredKernel(['app' => self::APP, 'anonymous' => true], [new SecurityBundle()], ['session' => ['storage_factory_id' => 'session.storage.factory.mock_file']], static function (ContainerConfigurator $container): void {
            $container->extension('security', [
                'providers' => ['none' => ['memory' => ['users' => []]]],
                'firewalls' => ['main' => ['lazy' => true, 'form_login' => ['login_path' => '/page', 'check_path' => '/page']]],
                'access_control' => [['path' => '^/page', 'roles' => 'PUBLIC_ACCESS'], ['path' => '^/', 'roles' => 'ROLE_USER']],
            ]);
        });
        foreach ([['GET', '/_websocket/authorize/chat'], ['POST', '/_websocket/auth'], ['POST', '/_websocket/user-auth']] as [$method, $path]) {
            $response = $kernel->handle(Request::create($path, $method, ['socket_id' => '1.2', 'channel_name' => 'private-a']));
            self::assertSame(302, $response->getStatusCode());
            self::assertFalse($response->headers->has('WebSocket-Authorize'));
            self::assertStringNotContainsString('"auth"', (string) $response->getContent());
        }
        // What is no question of the protocol has no answer: not as a script, nor by a link.
        self::assertSame(405, $kernel->handle(Request::create('/_websocket/auth?callback=steal&channel_name=private-a&socket_id=1.2'))->getStatusCode());
        self::assertSame(405, $kernel->handle(Request::create('/_websocket/authorize/chat', 'POST'))->getStatusCode());
    }

    private static function handler(): ?callable
    {
        $handler = set_exception_handler(null);
        restore_exception_handler();

        return $handler;
    }

    /** @param array<string, mixed> $input */
    private static function console(ConfiguredKernel $kernel, string $command, array $input = []): string
    {
        $console = new Application($kernel);
        $console->setAutoExit(false);
        $console->run(new ArrayInput(['command' => $command] + $input), $output = new BufferedOutput());

        return $output->fetch();
    }
}
