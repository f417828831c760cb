<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\Pusher\Way;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\DependencyInjection\HandlersPass;
use FrankenPHP\WebSocket\Symfony\DependencyInjection\OptionalServicesPass;
use Symfony\Component\Config\Definition\Configurator\DefinitionConfigurator;
use Symfony\Component\DependencyInjection\ChildDefinition;
use Symfony\Component\DependencyInjection\Compiler\PassConfig;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpKernel\Bundle\AbstractBundle;

/** WebSocket handlers as services, a publisher, the security user, commands, and a panel of the profiler. */
final class FrankenPhpWebSocketBundle extends AbstractBundle
{
    protected string $extensionAlias = 'frankenphp_ws';

    public function configure(DefinitionConfigurator $definition): void
    {
        $definition->rootNode()->children()
            ->arrayNode('app')->info('the application of the Pusher protocol, as the line `app ID KEY SECRET` of the Caddyfile')->addDefaultsIfNotSet()->children()
                ->scalarNode('id')->defaultValue('')->end()
                ->scalarNode('key')->defaultValue('')->end()
                ->scalarNode('secret')->defaultValue('')->end()
            ->end()->end()
            ->scalarNode('way')->info('which way events go to the server: ' . implode(', ', array_column(Way::cases(), 'value')))->defaultValue('auto')->end()
            ->scalarNode('url')->info('where the HTTP API is, the address of the site; null: never by HTTP')->defaultNull()->end()
            ->floatNode('timeout')->info('seconds that a call of the HTTP API, or of the admin endpoint, may take')->defaultValue(5.0)->end()
            ->scalarNode('encryption_master_key')->info('for channels private-encrypted-…: 32 bytes in base64')->defaultNull()->end()
            ->scalarNode('admin')->info('Caddy\'s admin endpoint, for the console commands')->defaultValue('localhost:2019')->end()
            ->booleanNode('anonymous')->info('whether visitors who are not logged in may connect where `authorize` asks')->defaultFalse()->end()
            ->booleanNode('record')->info('for tests: nothing is published, but remembered')->defaultFalse()->end()
        ->end();
    }

    /** @param array<string, mixed> $config */
    public function loadExtension(array $config, ContainerConfigurator $container, ContainerBuilder $builder): void
    {
        $container->import('../config/services.php');
        $builder->getDefinition(Settings::class)->setArgument(0, $config);
        $builder->setParameter('frankenphp_ws.anonymous', $config['anonymous']);
        $builder->setParameter('frankenphp_ws.record', $config['record']);
        $builder->registerAttributeForAutoconfiguration(AsWebSocketHandler::class, static function (ChildDefinition $service, AsWebSocketHandler $attribute): void {
            $service->addTag(HandlersPass::TAG, ['route' => $attribute->route]);
        });
    }

    public function build(ContainerBuilder $container): void
    {
        // Before the passes that look for handlers of messages, controllers and panels.
        $container->addCompilerPass(new OptionalServicesPass(), PassConfig::TYPE_BEFORE_OPTIMIZATION, 200);
        $container->addCompilerPass(new HandlersPass());
    }
}
