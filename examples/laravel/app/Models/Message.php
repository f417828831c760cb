<?php

declare(strict_types=1);

namespace App\Models;

use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\Relations\BelongsTo;

/**
 * @property int    $id
 * @property string $room
 * @property string $text
 * @property User   $user
 */
final class Message extends Model
{
    public $timestamps = false;

    protected $fillable = ['room', 'text', 'user_id'];

    /** @return BelongsTo<User, self> */
    public function user(): BelongsTo
    {
        return $this->belongsTo(User::class);
    }

    /** @return array{id: int, from: string, text: string} */
    public function forPage(): array
    {
        return ['id' => $this->id, 'from' => $this->user->name, 'text' => $this->text];
    }
}
