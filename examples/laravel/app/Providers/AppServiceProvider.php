<?php

declare(strict_types=1);

namespace App\Providers;

use App\Listeners\CountClients;
use App\Models\User;
use App\Tables;
use FrankenPHP\WebSocket\Laravel\Events\ClientConnected;
use FrankenPHP\WebSocket\Laravel\Events\ClientDisconnected;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\ServiceProvider;

final class AppServiceProvider extends ServiceProvider
{
    public function boot(): void
    {
        Tables::create();
        Broadcast::routes(['middleware' => ['web', 'auth']]);
        require $this->app->basePath('routes/channels.php');
        Broadcast::resolveAuthenticatedUserUsing(static function (Request $request): ?array {
            $user = $request->user();

            return $user instanceof User ? ['id' => $user->id, 'user_info' => ['name' => $user->name]] : null;
        });
        Event::listen([ClientConnected::class, ClientDisconnected::class], CountClients::class);
    }
}
