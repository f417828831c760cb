<?php

declare(strict_types=1);

namespace Tests\Laravel;

final class ConsoleKernel extends \Illuminate\Foundation\Console\Kernel
{
}
