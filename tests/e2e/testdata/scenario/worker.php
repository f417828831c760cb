<?php

declare(strict_types=1);

require __DIR__ . '/../../../../php/autoload.php';

FrankenPHP\WebSocket\Server::run(require __DIR__ . '/application.php');
