<?php

declare(strict_types=1);

/* On the command line: carries out the calls that come in by lines, and answers by lines. */

require __DIR__ . '/call.php';

while (($request = fgets(STDIN)) !== false) {
    echo call($request), "\n";
}
