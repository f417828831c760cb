<?php

declare(strict_types=1);

namespace App\Notifications;

use Illuminate\Notifications\Messages\BroadcastMessage;
use Illuminate\Notifications\Notification;

/** To all tabs of one user, by the private channel App.Models.User.ID. */
final class Poked extends Notification
{
    public function __construct(private readonly string $by)
    {
    }

    /** @return list<string> */
    public function via(): array
    {
        return ['broadcast'];
    }

    public function toBroadcast(): BroadcastMessage
    {
        // At once, and so in the process of the server: not by the queue.
        return (new BroadcastMessage(['by' => $this->by]))->onConnection('sync');
    }
}
