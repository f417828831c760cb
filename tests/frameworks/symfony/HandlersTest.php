<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\StartApplication;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\DependencyInjection\HandlersPass;
use FrankenPHP\WebSocket\Symfony\EventApplication;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;
use FrankenPHP\WebSocket\Testing\FakeServer;
use FrankenPHP\WebSocket\Timer;
use FrankenPHP\WebSocket\TimerApplication;
use PHPUnit\Framework\TestCase;
use Psr\Log\AbstractLogger;
use Psr\Log\LoggerInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Exception\ParameterNotFoundException;
use Symfony\Component\DependencyInjection\ServiceLocator;
use Symfony\Contracts\Service\ResetInterface;

/** Which service is the handler of a route, and what an event is to it. */
final class HandlersTest extends TestCase
{
    public function testARouteHasOneHandler(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage('the route "chat" has two handlers, one and two: give #[' . AsWebSocketHandler::class . ']');
        $container = new ContainerBuilder();
        $container->setParameter('app.route', 'chat');
        $container->register('one', Lobby::class)->addTag(HandlersPass::TAG, ['route' => 'chat']);
        $container->register('two', Chat::class)->addTag(HandlersPass::TAG, ['route' => '%app.route%']);
        self::routes($container);
    }

    public function testAHandlerIsAnApplication(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage(Basket::class . ', the class of the service "one", has #[AsWebSocketHandler], so it must implement FrankenPHP\WebSocket\Application');
        self::routes(self::container('one', Basket::class));
    }

    public function testAHandlerIsNoAbstractClass(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage(Half::class . ' has #[AsWebSocketHandler], and no object can be made of it');
        self::routes(self::container(Half::class, Half::class));
    }

    public function testAHandlerWithoutAClassIsNamed(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage('the service "made" has #[AsWebSocketHandler] or the tag frankenphp_ws.handler, and there is no such class: give the service its `class`');
        $container = self::container('made', null);
        $container->getDefinition('made')->setFactory([self::class, 'container']);
        self::routes($container);
    }

    public function testAServiceWithAParentHasTheClassOfTheParentWhichIsNoServiceItself(): void
    {
        $container = new ContainerBuilder();
        $container->register('parent', Lobby::class)->setAbstract(true)->addTag(HandlersPass::TAG, ['route' => 'none']);
        $container->setDefinition('child', new \Symfony\Component\DependencyInjection\ChildDefinition('parent'))->addTag(HandlersPass::TAG, ['route' => 'chat']);
        self::assertSame(['chat'], self::routes($container));
    }

    public function testTheRouteMayBeAParameter(): void
    {
        $container = self::container(Lobby::class, Lobby::class, '%app.route%');
        $container->setParameter('app.route', 'chat');
        self::assertSame(['chat'], self::routes($container));
        $this->expectException(ParameterNotFoundException::class);
        $this->expectExceptionMessage('The service "' . Lobby::class . '" has a dependency on a non-existent parameter "app.rout"');
        self::routes(self::container(Lobby::class, Lobby::class, '%app.rout%'));
    }

    public function testARouteThatIsEmptyIsNotAllRoutes(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage('the route of the handler ' . Lobby::class . ' is empty: it must be the name of a route; without it');
        self::routes(self::container(Lobby::class, Lobby::class, ''));
    }

    public function testAHandlerOfTwoRoutesIsStartedOnceAndHearsOfATimerOnce(): void
    {
        $handler = new Clockwork();
        $server = new FakeServer(self::application(['one' => $handler, 'two' => $handler]), ['one', 'two']);
        Timer::after(10, 'ding', 'app');
        $server->advance(10);
        self::assertSame(['start', 'ding'], $handler->heard);
    }

    public function testATimerIsToldToAllHandlersThoughOneFails(): void
    {
        $last = new Clockwork();
        $log = new Log();
        $server = new FakeServer(self::application(['one' => new Clockwork(new \DomainException('late')), 'two' => new Clockwork(new \DomainException('later')), 'three' => $last], $log));
        Timer::after(10, 'ding', 'app');
        $server->advance(10);
        self::assertSame(['start', 'ding'], $last->heard);
        self::assertStringContainsString('DomainException: late', $server->failures[0]);
        self::assertSame(['A WebSocket handler failed, too: later', 'A WebSocket handler failed: late'], $log->records);
    }

    public function testWhatAHandlerThrowsIsKnownThoughTheLoggerFails(): void
    {
        $logger = new class extends AbstractLogger {
            public function log($level, string|\Stringable $message, array $context = []): void
            {
                throw new \RuntimeException('the disk is full');
            }
        };
        $errors = tempnam(sys_get_temp_dir(), 'fws-log-');
        $before = ini_set('error_log', $errors);
        try {
            $server = new FakeServer(self::application(['app' => new Clockwork(new \DomainException('not in this shop'))], $logger));
            $server->connect()->send('hello');
            self::assertStringContainsString('DomainException: not in this shop', $server->failures[0]);
            self::assertStringContainsString('The logger of the Symfony application failed: RuntimeException: the disk is full', (string) file_get_contents($errors));
        } finally {
            ini_set('error_log', (string) $before);
            unlink($errors);
        }
    }

    public function testAServiceThatCannotBeResetFailsTheEventAndIsLogged(): void
    {
        $log = new Log();
        $services = new class implements ResetInterface {
            public bool $isLost = false;

            public function reset(): void
            {
                !$this->isLost || throw new \RuntimeException('the connection is lost');
            }
        };
        $server = new FakeServer(self::application(['app' => new Lobby()], $log, $services));
        $client = $server->connect();
        $services->isLost = true;
        $client->send('hello');
        self::assertStringContainsString('RuntimeException: the connection is lost', $server->failures[0]);
        self::assertContains('A service could not be reset after a WebSocket event: the connection is lost', $log->records);
    }

    /** @param array<string, Application> $handlers by route */
    private static function application(array $handlers, ?LoggerInterface $logger = null, ?ResetInterface $services = null): EventApplication
    {
        return new EventApplication(new ServiceLocator(array_map(static fn (Application $handler): \Closure => static fn (): Application => $handler, $handlers)), $services ?? new Basket(), $logger);
    }

    private static function container(string $id, ?string $class, string $route = 'chat'): ContainerBuilder
    {
        $container = new ContainerBuilder();
        $container->register($id, $class)->addTag(HandlersPass::TAG, ['route' => $route]);

        return $container;
    }

    /** @return list<string> that have a handler */
    private static function routes(ContainerBuilder $container): array
    {
        $container->register(EventApplication::class);
        (new HandlersPass())->process($container);
        $locator = $container->getDefinition((string) $container->getDefinition(EventApplication::class)->getArgument(0));

        return array_keys($locator->getArgument(0));
    }
}

abstract class Half implements Application
{
    use HandlerDefaults;
}

final class Clockwork implements StartApplication, TimerApplication
{
    use HandlerDefaults;

    /** @var list<string> */
    public array $heard = [];

    public function __construct(private readonly ?\Throwable $error = null)
    {
    }

    public function onStart(): void
    {
        $this->heard[] = 'start';
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        throw $this->error ?? new \LogicException('nothing is expected');
    }

    public function onTimer(Timer $timer): void
    {
        $this->heard[] = $timer->payload;
        if ($this->error !== null) {
            throw $this->error;
        }
    }
}
