<?php

declare(strict_types=1);

// Publishes events from within: as many as are asked for, one after the other.
$padding = str_repeat('x', max(0, (int) $_GET['size'] - 15));
for ($number = 0, $count = (int) $_GET['count']; $number < $count; $number++) {
    frankenphp_ws_publish($_GET['channel'], 'news', sprintf('000:%08d:%s', $number, $padding));
}
header('Content-Length: 2');
echo '{}';
