<?php

declare(strict_types=1);

return [
    'default' => 'sqlite',
    'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => storage_path('chat.sqlite'), 'foreign_key_constraints' => true]],
    'migrations' => 'migrations',
];
