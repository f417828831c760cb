<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\Way;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\DependencyInjection\HandlersPass;
use FrankenPHP\WebSocket\Symfony\DependencyInjection\LocalePass;
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
        self::check($config, $builder);
        $container->import('../config/services.php');
        $builder->getDefinition(Settings::class)->setArgument(0, $config);
        $builder->setParameter('frankenphp_ws.anonymous', $config['anonymous']);
        $builder->setParameter('frankenphp_ws.record', $config['record']);
        $builder->registerAttributeForAutoconfiguration(AsWebSocketHandler::class, static function (ChildDefinition $service, AsWebSocketHandler $attribute): void {
            $service->addTag(HandlersPass::TAG, ['route' => $attribute->route]);
        });
    }

    /**
     * What is written in the configuration, and can never work, is said when the container is built. What comes from the environment is
     * not known then: it is checked when it is needed.
     *
     * @param array<string, mixed> $config
     */
    private static function check(array $config, ContainerBuilder $builder): void
    {
        if (!is_bool($config['record'])) {
            throw new ConfigurationException('frankenphp_ws.record must be true or false, and no variable of the environment: the container is another one with it. Set it in config/packages/test/frankenphp_ws.yaml');
        }
        foreach (['way', 'timeout', 'encryption_master_key', 'app'] as $option) {
            $variables = [];
            $builder->resolveEnvPlaceholders($config[$option], null, $variables);
            if ($variables !== []) {
                continue;
            }
            try {
                (new Settings($config))->check($option);
            } catch (ConfigurationException $error) {
                throw new ConfigurationException("frankenphp_ws.$option: {$error->getMessage()}", 0, $error);
            }
        }
    }

    public function build(ContainerBuilder $container): void
    {
        // Before the passes that look for handlers of messages, controllers and panels.
        $container->addCompilerPass(new OptionalServicesPass(), PassConfig::TYPE_BEFORE_OPTIMIZATION, 200);
        $container->addCompilerPass(new HandlersPass());
        $container->addCompilerPass(new LocalePass());
    }
}
