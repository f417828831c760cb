<?php

declare(strict_types=1);

use Board\Kernel;
use FrankenPHP\WebSocket\Symfony\Worker;

require __DIR__ . '/autoload.php';

Worker::run(new Kernel('prod', false));
