<?php

declare(strict_types=1);

use App\Http\ChatController;
use Illuminate\Support\Facades\Route;

Route::view('/login', 'login')->name('login');
Route::post('/login', [ChatController::class, 'login']);
Route::middleware('auth')->group(static function (): void {
    Route::get('/', [ChatController::class, 'room']);
    Route::get('/rooms/{room}', [ChatController::class, 'room'])->where('room', '[a-z]+');
    Route::post('/rooms/{room}/messages', [ChatController::class, 'say'])->where('room', '[a-z]+');
    Route::post('/users/{user}/poke', [ChatController::class, 'poke']);
});
