<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Server;

require __DIR__ . '/../../php/autoload.php';
require __DIR__ . '/Redis.php';
require __DIR__ . '/Backlog.php';

$address = (string) getenv('REDIS');
Server::run(new Backlog($address === '' ? null : new Example\Redis($address)));
