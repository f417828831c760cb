<?php

declare(strict_types=1);

namespace App\Events;

use App\Models\Message;
use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PresenceChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Queue\SerializesModels;

/** A queued broadcast: the queue worker sends it, while the page has its answer already. */
final class MessageSent implements ShouldBroadcast
{
    use InteractsWithSockets;
    use SerializesModels;

    public function __construct(public Message $message)
    {
    }

    public function broadcastOn(): PresenceChannel
    {
        return new PresenceChannel("room.{$this->message->room}");
    }

    /** @return array{id: int, from: string, text: string} */
    public function broadcastWith(): array
    {
        return $this->message->forPage();
    }
}
