<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Testing;

/** A message that a fake client has received. */
final class FakeMessage
{
    public function __construct(public readonly string $data, public readonly bool $binary = false)
    {
    }
}
