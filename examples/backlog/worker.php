<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Server;

require __DIR__ . '/../../php/autoload.php';
require __DIR__ . '/Redis.php';
require __DIR__ . '/Backlog.php';

Server::run(new Backlog(new Example\Redis(getenv('REDIS') ?: 'tcp://127.0.0.1:6379')));
