<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Router;

require_once __DIR__ . '/ScenarioApplication.php';
require_once __DIR__ . '/Upper.php';

return new Router(routes: ['scenario' => new ScenarioApplication()], subprotocols: ['upper.v1' => new Upper()]);
