<?php

declare(strict_types=1);

namespace Board;

use FrankenPHP\WebSocket\Symfony\FrankenPhpWebSocketBundle;
use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Bundle\SecurityBundle\SecurityBundle;
use Symfony\Bundle\TwigBundle\TwigBundle;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

/** The configuration is in config/. */
final class Kernel extends BaseKernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        return [new FrameworkBundle(), new SecurityBundle(), new TwigBundle(), new FrankenPhpWebSocketBundle()];
    }

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    /** All that the example writes is outside of its folder. */
    public function getCacheDir(): string
    {
        return self::storage() . "/cache-$this->environment";
    }

    public function getLogDir(): string
    {
        return self::storage() . '/log';
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->import('../config/services.php');
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->import('../config/routes.php');
    }

    private static function storage(): string
    {
        return getenv('APP_STORAGE') ?: sys_get_temp_dir() . '/frankenphp-ws-symfony-' . get_current_user();
    }
}
