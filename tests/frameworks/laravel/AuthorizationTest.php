<?php

declare(strict_types=1);

namespace Tests\Laravel;

use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Signer;
use Illuminate\Support\Facades\Broadcast;

final class AuthorizationTest extends TestCase
{
    private Signer $signer;

    protected function setUp(): void
    {
        parent::setUp();
        $this->signer = new Signer(new App('1', 'key', 'secret'));
        Broadcast::routes();
        $this->app->make(\Illuminate\Broadcasting\BroadcastManager::class)->userRoutes();
        Broadcast::channel('orders.{order}', static fn ($user, string $order): bool => $order === '7');
        Broadcast::channel('room.{room}', static fn ($user, string $room): array => ['name' => $user->name, 'room' => $room]);
        Broadcast::resolveAuthenticatedUserUsing(static fn ($request) => $request->user() === null ? null : ['id' => $request->user()->getAuthIdentifier(), 'user_info' => ['name' => $request->user()->name]]);
    }

    public function testAPrivateChannelIsSignedForThoseWhoMay(): void
    {
        $this->actingAs($this->user('5'))->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => 'private-orders.7'])
            ->assertOk()->assertExactJson(['auth' => $this->signer->channel('1.2', 'private-orders.7')]);
        $this->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => 'private-orders.8'])->assertForbidden();
        $this->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => 'private-nobody-knows'])->assertForbidden();
    }

    public function testAPresenceChannelTellsWhoTheUserIs(): void
    {
        $data = '{"user_id":"5","user_info":{"name":"Ann","room":"x"}}';
        $this->actingAs($this->user('5'))->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => 'presence-room.x'])
            ->assertOk()->assertExactJson(['auth' => $this->signer->channel('1.2', 'presence-room.x', $data), 'channel_data' => $data]);
    }

    public function testAnIdMayBeAnObjectThatIsText(): void
    {
        $user = new class (['id' => 'unused', 'name' => 'Ann']) extends \Illuminate\Auth\GenericUser {
            public function getAuthIdentifierForBroadcasting(): \Stringable
            {
                return str('ann-5');
            }
        };
        $data = '{"user_id":"ann-5","user_info":{"name":"Ann","room":"x"}}';
        $this->actingAs($user)->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => 'presence-room.x'])->assertOk()->assertJson(['channel_data' => $data]);
    }

    public function testAChannelMayHaveAGuardOfItsOwn(): void
    {
        $this->app['config']->set('auth.guards.admin', ['driver' => 'admin-token']);
        \Illuminate\Support\Facades\Auth::viaRequest('admin-token', fn ($request) => $request->header('X-Admin') === null ? null : $this->user('9', 'Root'));
        Broadcast::channel('staff.{floor}', static fn ($user, string $floor): array => ['name' => $user->name], ['guards' => ['web', 'admin']]);
        Broadcast::channel('vault.{n}', static fn ($user, string $n): int => (int) $n, ['guards' => 'admin']);
        $ask = fn (string $channel, array $headers = []) => $this->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => $channel], $headers);
        $ask('presence-staff.1')->assertForbidden();
        $data = '{"user_id":"9","user_info":{"name":"Root"}}';
        $ask('presence-staff.1', ['X-Admin' => '1'])->assertOk()->assertExactJson(['auth' => $this->signer->channel('1.2', 'presence-staff.1', $data), 'channel_data' => $data]);
        $ask('presence-room.x', ['X-Admin' => '1'])->assertForbidden();
        $this->actingAs($this->user('5'));
        $ask('presence-staff.1', ['X-Admin' => '1'])->assertJson(['channel_data' => '{"user_id":"5","user_info":{"name":"Ann"}}']);
        \Illuminate\Support\Facades\Auth::forgetGuards();
        $ask('private-vault.7')->assertForbidden();
        // What the callback says is yes or no, whatever it is.
        $ask('private-vault.7', ['X-Admin' => '1'])->assertOk();
        $ask('private-vault.0', ['X-Admin' => '1'])->assertForbidden();
    }

    public function testVisitorsGetNothing(): void
    {
        foreach (['private-orders.7', 'presence-room.x', ''] as $channel) {
            $this->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => $channel])->assertForbidden();
        }
        $this->post('/broadcasting/user-auth', ['socket_id' => '1.2'])->assertForbidden();
    }

    public function testASocketIdThatCouldMeanAnotherTextIsRefused(): void
    {
        foreach (['1.2:private-orders.7', '', '1.2::user::{}'] as $socketId) {
            $this->actingAs($this->user('5'))->post('/broadcasting/auth', ['socket_id' => $socketId, 'channel_name' => 'private-orders.7'])->assertForbidden();
        }
        $this->post('/broadcasting/auth', ['socket_id' => ['1.2'], 'channel_name' => ['private-orders.7']])->assertForbidden();
    }

    public function testAUserIsSignedIn(): void
    {
        $data = '{"id":"5","user_info":{"name":"Ann"}}';
        $this->actingAs($this->user('5'))->post('/broadcasting/user-auth', ['socket_id' => '1.2'])
            ->assertOk()->assertExactJson(['auth' => $this->signer->user('1.2', $data), 'user_data' => $data]);
    }

    public function testEncryptedChannelsGetTheirSecret(): void
    {
        $this->app['config']->set('frankenphp-ws.encryption_master_key', base64_encode(str_repeat('k', 32)));
        $answer = $this->actingAs($this->user('5'))->post('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => 'private-encrypted-orders.7'])->assertOk();
        self::assertSame(base64_encode(hash('sha256', 'private-encrypted-orders.7' . str_repeat('k', 32), true)), $answer->json('shared_secret'));
    }

    public function testAnAnswerIsAScriptOnlyWhereTheConnectionSaysSo(): void
    {
        $auth = $this->signer->channel('1.2', 'private-orders.7');
        $this->actingAs($this->user('5'))->get('/broadcasting/auth?socket_id=1.2&channel_name=private-orders.7&callback=done')->assertOk()->assertExactJson(['auth' => $auth]);
        $this->app['config']->set('broadcasting.connections.frankenphp.jsonp', true);
        Broadcast::purge('frankenphp');
        Broadcast::channel('orders.{order}', static fn ($user, string $order): bool => $order === '7');
        $answer = $this->actingAs($this->user('5'))->get('/broadcasting/auth?socket_id=1.2&channel_name=private-orders.7&callback=done');
        self::assertStringContainsString('done({"auth":"' . $auth . '"});', (string) $answer->getContent());
    }
}
