<?php

declare(strict_types=1);

use Board\Kernel;
use Symfony\Component\HttpFoundation\Request;

require __DIR__ . '/../autoload.php';

$kernel = new Kernel('prod', false);
$response = $kernel->handle($request = Request::createFromGlobals());
$response->send();
$kernel->terminate($request, $response);
