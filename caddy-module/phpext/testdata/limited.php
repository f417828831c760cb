<?php

// The worker, whose script has set limits of its own before its loop: 1 s for each event, and 8 MiB of memory.

set_time_limit(1);
ini_set('memory_limit', '8M');

require __DIR__ . '/worker.php';
