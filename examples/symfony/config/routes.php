<?php

declare(strict_types=1);

use Board\Pages;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

return static function (RoutingConfigurator $routes): void {
    $routes->import('@FrankenPhpWebSocketBundle/config/routes.php');
    $routes->add('login', '/login')->controller([Pages::class, 'login']);
    $routes->add('board', '/')->controller([Pages::class, 'board'])->methods(['GET']);
    $routes->add('ring', '/ring/{name}')->controller([Pages::class, 'ring'])->methods(['POST']);
};
