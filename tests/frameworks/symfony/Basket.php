<?php

declare(strict_types=1);

namespace Tests\Symfony;

use Symfony\Contracts\Service\ResetInterface;

/** A service with a state of one event. */
final class Basket implements ResetInterface, \Countable
{
    /** @var list<string> */
    private array $things = [];

    public function add(string $thing): void
    {
        $this->things[] = $thing;
    }

    public function count(): int
    {
        return count($this->things);
    }

    public function reset(): void
    {
        $this->things = [];
    }
}
