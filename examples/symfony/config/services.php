<?php

declare(strict_types=1);

use Board\Board;
use Board\ChannelVoter;
use Board\Pages;
use Board\People;
use Board\Person;
use FrankenPHP\WebSocket\Symfony\Messenger\Publish;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;

return static function (ContainerConfigurator $container): void {
    $container->parameters()
        ->set('env(APP_SECRET)', 'example')->set('env(PORT)', '8080')
        ->set('env(PUSHER_APP_ID)', '4712')->set('env(PUSHER_APP_KEY)', 'example-key')->set('env(PUSHER_APP_SECRET)', 'example-secret');
    $container->extension('framework', [
        'secret' => '%env(APP_SECRET)%',
        'http_method_override' => false,
        'handle_all_throwables' => true,
        'annotations' => false,
        'session' => ['handler_id' => null, 'cookie_secure' => 'auto', 'cookie_samesite' => 'lax', 'storage_factory_id' => 'session.storage.factory.native'],
        'router' => ['utf8' => true],
        'http_client' => ['enabled' => true],
        // A site of yours has a transport that another process consumes. This one publishes at once.
        'messenger' => ['transports' => ['now' => 'sync://'], 'routing' => [Publish::class => 'now']],
    ]);
    $container->extension('security', [
        'providers' => ['people' => ['id' => People::class]],
        'password_hashers' => [Person::class => 'plaintext'],
        'firewalls' => ['main' => ['lazy' => true, 'provider' => 'people', 'form_login' => ['login_path' => 'login', 'check_path' => 'login']]],
        'access_control' => [['path' => '^/login', 'roles' => 'PUBLIC_ACCESS'], ['path' => '^/_websocket', 'roles' => 'PUBLIC_ACCESS'], ['path' => '^/', 'roles' => 'ROLE_USER']],
    ]);
    $container->extension('twig', ['default_path' => '%kernel.project_dir%/templates']);
    $container->extension('frankenphp_ws', [
        'app' => ['id' => '%env(PUSHER_APP_ID)%', 'key' => '%env(PUSHER_APP_KEY)%', 'secret' => '%env(PUSHER_APP_SECRET)%'],
        'url' => 'http://localhost:%env(PORT)%',
    ]);
    $services = $container->services()->defaults()->autowire()->autoconfigure();
    $services->set(People::class);
    $services->set(Board::class);
    $services->set(ChannelVoter::class);
    $services->set(Pages::class)->arg('$key', '%env(PUSHER_APP_KEY)%')->tag('controller.service_arguments');
};
