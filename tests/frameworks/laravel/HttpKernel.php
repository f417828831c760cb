<?php

declare(strict_types=1);

namespace Tests\Laravel;

use Illuminate\Foundation\Http\Kernel;

final class HttpKernel extends Kernel
{
    protected $middlewareGroups = ['web' => [\Illuminate\Session\Middleware\StartSession::class]];
}
