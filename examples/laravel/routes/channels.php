<?php

declare(strict_types=1);

use App\Models\User;
use Illuminate\Support\Facades\Broadcast;

// Who is in a room: the others are told the name.
Broadcast::channel('room.{room}', static fn (User $user, string $room): array => ['name' => $user->name]);

// Notifications of one user.
Broadcast::channel('App.Models.User.{id}', static fn (User $user, string $id): bool => $user->id === (int) $id);
