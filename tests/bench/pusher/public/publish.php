<?php

declare(strict_types=1);

frankenphp_ws_sendToTag($_GET['channel'], file_get_contents('php://input'));
header('Content-Length: 2');
echo 'ok';
