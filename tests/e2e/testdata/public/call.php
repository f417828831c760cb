<?php

declare(strict_types=1);

require __DIR__ . '/../call.php';

echo call(file_get_contents('php://input'));
