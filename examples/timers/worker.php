<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Server;

require __DIR__ . '/../../php/autoload.php';
require __DIR__ . '/Clock.php';

Server::run(new Clock());
