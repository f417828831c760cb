<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Symfony\Console\ClientsCommand;
use FrankenPHP\WebSocket\Symfony\Console\RestartCommand;
use FrankenPHP\WebSocket\Symfony\Console\StatsCommand;
use FrankenPHP\WebSocket\Symfony\EventApplication;
use FrankenPHP\WebSocket\Symfony\EventReset;
use FrankenPHP\WebSocket\Symfony\Settings;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;

use function Symfony\Component\DependencyInjection\Loader\Configurator\param;
use function Symfony\Component\DependencyInjection\Loader\Configurator\service;
use function Symfony\Component\DependencyInjection\Loader\Configurator\service_closure;

return static function (ContainerConfigurator $container): void {
    $services = $container->services();
    $services->set(EventApplication::class)->public()->args([null, service(EventReset::class), service('logger')->nullOnInvalid()])
        ->tag('monolog.logger', ['channel' => 'websocket']);
    // LocalePass knows the services that have a locale.
    $services->set(EventReset::class)->args([service('services_resetter'), [], param('kernel.default_locale')]);
    $services->set(Settings::class)->args([null, service('http_client')->nullOnInvalid()]);
    $services->set(Authorizer::class)->factory([service(Settings::class), 'authorizer']);
    $services->set(Publisher::class)->factory([service(Settings::class), 'publisher']);
    $services->set(AdminApi::class)->factory([service(Settings::class), 'adminApi']);
    $services->set(ClientsCommand::class)->args([service_closure(AdminApi::class)])->tag('console.command');
    $services->set(StatsCommand::class)->args([service_closure(AdminApi::class)])->tag('console.command');
    $services->set(RestartCommand::class)->args([service_closure(AdminApi::class)])->tag('console.command');
};
