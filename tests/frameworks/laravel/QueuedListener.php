<?php

declare(strict_types=1);

namespace Tests\Laravel;

use FrankenPHP\WebSocket\Laravel\Events\MessageReceived;
use Illuminate\Contracts\Queue\ShouldQueue;

final class QueuedListener implements ShouldQueue
{
    public function handle(MessageReceived $event): void
    {
        $event->connection->send("$event->data, done");
    }
}
