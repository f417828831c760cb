<?php

declare(strict_types=1);

namespace App;

use Illuminate\Support\Facades\DB;

/** The example makes its tables itself. A site of yours has migrations. */
final class Tables
{
    private const TABLES = [
        'users' => 'id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE',
        'messages' => 'id INTEGER PRIMARY KEY, room TEXT NOT NULL, user_id INTEGER NOT NULL REFERENCES users, text TEXT NOT NULL',
        'jobs' => 'id INTEGER PRIMARY KEY, queue TEXT NOT NULL, payload TEXT NOT NULL, attempts INTEGER NOT NULL, reserved_at INTEGER, available_at INTEGER NOT NULL, created_at INTEGER NOT NULL',
    ];

    public static function create(): void
    {
        $file = (string) config('database.connections.sqlite.database');
        if (!is_file($file)) {
            touch($file);
        }
        foreach (self::TABLES as $table => $columns) {
            DB::statement("CREATE TABLE IF NOT EXISTS $table ($columns)");
        }
    }
}
