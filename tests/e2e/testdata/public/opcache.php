<?php

declare(strict_types=1);

echo opcache_reset() ? 'reset' : 'not reset';
