<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Symfony\FrankenPhpWebSocketBundle;
use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Bundle\BundleInterface;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

/** An application with the framework, the bundle, and what a test gives it. */
final class ConfiguredKernel extends TestKernel
{
    private static int $number = 0;

    private readonly int $mine;

    /**
     * @param array<string, mixed>                       $bundle    configuration of the bundle
     * @param list<BundleInterface>                      $others    other bundles
     * @param array<string, mixed>                       $framework configuration of the framework
     * @param \Closure(ContainerConfigurator): void|null $more
     */
    public function __construct(
        private readonly array $bundle = [],
        private readonly array $others = [],
        private readonly array $framework = [],
        private readonly ?\Closure $more = null,
        string $environment = 'test',
    ) {
        $this->mine = self::$number++;
        parent::__construct($environment, true);
    }

    public function registerBundles(): iterable
    {
        return [new FrameworkBundle(), ...$this->others, new FrankenPhpWebSocketBundle()];
    }

    public function getCacheDir(): string
    {
        return parent::getCacheDir() . "-$this->mine";
    }

    public function page(): Response
    {
        return new Response('<html><body>a page</body></html>');
    }

    /** Two kernels of one process must not have containers of one name. */
    protected function getContainerClass(): string
    {
        return parent::getContainerClass() . $this->mine;
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', $this->framework + [
            'secret' => 's', 'test' => true, 'http_method_override' => false, 'handle_all_throwables' => true, 'php_errors' => ['log' => true], 'router' => ['utf8' => true],
        ]);
        $container->extension('frankenphp_ws', $this->bundle);
        $container->services()->set('logger', Log::class)->public();
        if ($this->more !== null) {
            ($this->more)($container);
        }
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->import('@FrankenPhpWebSocketBundle/config/routes.php');
        $routes->add('page', '/page')->controller('kernel::page');
    }
}
