<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\{Connection, Timer, TimerApplication};

/** An application that notes what it is told, and does what the test wants besides. */
final class Recorder implements TimerApplication
{
    /** @var list<string> */
    public array $told = [];

    /** @param array<string, Closure> $do by method */
    public function __construct(private readonly array $do = [])
    {
    }

    public function onOpen(Connection $connection): void
    {
        $this->note('open', $connection);
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $this->note("message $data", $connection, $data);
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        $this->note(rtrim("close $code $reason"), $connection);
    }

    public function onError(Connection $connection, Throwable $error): void
    {
        $this->note('error ' . $error->getMessage(), $connection);
    }

    public function onTimer(Timer $timer): void
    {
        $this->note("timer $timer->payload", $timer);
    }

    private function note(string $what, mixed ...$arguments): void
    {
        $this->told[] = $what;
        ($this->do[strtok($what, ' ')] ?? static fn () => null)(...$arguments);
    }
}
