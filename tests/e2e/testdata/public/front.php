<?php

declare(strict_types=1);

/* The same site in worker mode. */

require __DIR__ . '/../authorize.php';

while (frankenphp_handle_request(site(...))) {
}
