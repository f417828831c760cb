<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Symfony\Controller\AuthorizeController;
use FrankenPHP\WebSocket\Symfony\Controller\PusherController;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

return static function (RoutingConfigurator $routes): void {
    // The server asks this one, by the option `authorize` of a route.
    $routes->add('frankenphp_ws_authorize', '/_websocket/authorize/{route}')->controller(AuthorizeController::class)->methods(['GET'])->defaults(['route' => '']);
    // pusher-js asks these two.
    $routes->add('frankenphp_ws_channel', '/_websocket/auth')->controller([PusherController::class, 'channel'])->methods(['POST']);
    $routes->add('frankenphp_ws_user', '/_websocket/user-auth')->controller([PusherController::class, 'user'])->methods(['POST']);
};
