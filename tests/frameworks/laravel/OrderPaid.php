<?php

declare(strict_types=1);

namespace Tests\Laravel;

use Illuminate\Broadcasting\Channel;
use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Foundation\Events\Dispatchable;

final class OrderPaid implements ShouldBroadcast
{
    use Dispatchable;
    use InteractsWithSockets;

    public function __construct(public readonly int $order)
    {
    }

    /** @return list<Channel> */
    public function broadcastOn(): array
    {
        return [new PrivateChannel("orders.$this->order"), new Channel('news')];
    }
}
