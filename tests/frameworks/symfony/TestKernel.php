<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Symfony\FrankenPhpWebSocketBundle;
use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Bundle\SecurityBundle\SecurityBundle;
use Symfony\Bundle\TwigBundle\TwigBundle;
use Symfony\Bundle\WebProfilerBundle\WebProfilerBundle;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpKernel\Kernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

/** An application with users, a queue and the profiler, in a folder of its own. */
class TestKernel extends Kernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        return [new FrameworkBundle(), new SecurityBundle(), new TwigBundle(), new WebProfilerBundle(), new FrankenPhpWebSocketBundle()];
    }

    public function getProjectDir(): string
    {
        return (string) ($_SERVER['SITE'] ?? sys_get_temp_dir() . '/fws-symfony-' . getmypid());
    }

    public function getCacheDir(): string
    {
        return $this->getProjectDir() . '/cache/' . strtolower(substr((string) strrchr(static::class, '\\'), 1)) . "-$this->environment";
    }

    public function getLogDir(): string
    {
        return $this->getProjectDir() . '/log';
    }

    /** @return array<string, mixed> the configuration of the bundle */
    protected function bundle(): array
    {
        return ['app' => ['id' => '1', 'key' => 'key', 'secret' => 'secret'], 'record' => true];
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', [
            'secret' => 's', 'test' => true, 'http_method_override' => false, 'handle_all_throwables' => true, 'php_errors' => ['log' => true],
            'session' => ['storage_factory_id' => 'session.storage.factory.mock_file', 'handler_id' => null, 'cookie_secure' => false, 'cookie_samesite' => 'lax'],
            'router' => ['utf8' => true], 'profiler' => ['collect' => true], 'http_client' => ['enabled' => true], 'annotations' => false,
            'messenger' => ['transports' => ['later' => 'in-memory://'], 'routing' => [\FrankenPHP\WebSocket\Symfony\Messenger\Publish::class => 'later']],
        ]);
        $container->extension('security', [
            'password_hashers' => [Person::class => 'plaintext'],
            'providers' => ['people' => ['id' => People::class]],
            'firewalls' => ['main' => ['lazy' => true, 'provider' => 'people', 'http_basic' => null]],
            'access_control' => [['path' => '^/_websocket/authorize/admin', 'roles' => 'ROLE_ADMIN']],
        ]);
        $container->extension('frankenphp_ws', $this->bundle());
        $services = $container->services()->defaults()->autowire()->autoconfigure();
        foreach ([People::class, Chat::class, Lobby::class, Listener::class, Basket::class, OrdersVoter::class, Pages::class] as $class) {
            $services->set($class)->public();
        }
        $services->set('logger', Log::class)->public();
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->import('@FrankenPhpWebSocketBundle/config/routes.php');
        $routes->import('@WebProfilerBundle/Resources/config/routing/profiler.xml')->prefix('/_profiler');
        $routes->add('pay', '/pay/{order}')->controller([Pages::class, 'pay']);
        $routes->add('later', '/later')->controller([Pages::class, 'later']);
    }
}
