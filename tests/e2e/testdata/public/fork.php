<?php

declare(strict_types=1);

/* Leaves a child behind, forked from the server itself, that outlives it. */

$child = pcntl_fork();
if ($child === 0) {
    sleep(60);
    posix_kill(posix_getpid(), SIGKILL);
}
echo $child;
