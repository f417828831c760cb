<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Router;
use FrankenPHP\WebSocket\Server;

require __DIR__ . '/../../php/autoload.php';
require __DIR__ . '/Groups.php';
require __DIR__ . '/Status.php';

Server::run(new Router(subprotocols: ['groups.v1' => new Groups(), 'status.v1' => new Status()]));
