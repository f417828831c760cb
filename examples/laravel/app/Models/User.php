<?php

declare(strict_types=1);

namespace App\Models;

use Illuminate\Foundation\Auth\User as Authenticatable;
use Illuminate\Notifications\Notifiable;

/**
 * @property int    $id
 * @property string $name
 */
final class User extends Authenticatable
{
    use Notifiable;

    public $timestamps = false;

    protected $fillable = ['name'];

    /** No cookie remembers anybody. */
    protected $rememberTokenName = '';
}
