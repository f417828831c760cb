<?php

declare(strict_types=1);

// A file, since `artisan queue:restart` tells the queue worker by the cache.
return ['default' => 'file', 'stores' => ['file' => ['driver' => 'file', 'path' => storage_path('framework/cache')]], 'prefix' => ''];
