<?php

declare(strict_types=1);

namespace Tests\Laravel;

use App\Events\MessageSent;
use App\Models\User;
use FrankenPHP\WebSocket\Laravel\Facades\WebSocket;
use FrankenPHP\WebSocket\Laravel\Testing\PublisherFake;
use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Signer;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Filesystem\Filesystem;
use Illuminate\Foundation\Testing\TestCase;
use Illuminate\Notifications\Events\BroadcastNotificationCreated;

/** examples/laravel, as a site tests itself. */
final class ExampleTest extends TestCase
{
    private string $storage;

    private PublisherFake $published;

    public function createApplication()
    {
        $example = dirname(__DIR__, 3) . '/examples/laravel';
        $this->storage ??= sys_get_temp_dir() . '/fws-example-' . bin2hex(random_bytes(6));
        putenv("APP_STORAGE=$this->storage");
        require_once "$example/autoload.php";
        $app = require "$example/bootstrap/app.php";
        $app->make(Kernel::class)->bootstrap();
        // Tests have no token of a form.
        $app->instance('env', 'testing');

        return $app;
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->published = WebSocket::fake();
    }

    protected function tearDown(): void
    {
        parent::tearDown();
        (new Filesystem())->deleteDirectory($this->storage);
        foreach (['APP_STORAGE'] as $name) {
            putenv($name);
        }
        unset($_ENV['APP_PACKAGES_CACHE'], $_ENV['APP_SERVICES_CACHE']);
        if (version_compare(\Illuminate\Foundation\Application::VERSION, '11', '<')) {
            // It leaves those that it has set when it started.
            restore_error_handler();
            restore_exception_handler();
        }
    }

    public function testWhoComesInByNameSeesTheRoom(): void
    {
        $this->get('/')->assertRedirect('/login');
        $this->get('/login')->assertOk()->assertSee('Your name');
        $this->post('/login', ['name' => 'Ann'])->assertRedirect('/');
        $this->get('/')->assertOk()->assertSee('data-name="Ann"', false)->assertSee('data-key="example-key"', false);
    }

    public function testAMessageIsQueuedAndGoesToTheOthersInTheRoom(): void
    {
        $this->actingAs($ann = User::query()->create(['name' => 'Ann']));
        $this->postJson('/rooms/kitchen/messages', ['text' => 'Tea!'], ['X-Socket-ID' => '1.2'])->assertOk()->assertExactJson(['id' => 1, 'from' => 'Ann', 'text' => 'Tea!']);
        $this->published->assertNothingPublished();
        $this->artisan('queue:work', ['--once' => true])->assertSuccessful();
        $this->published->assertPublishedTo('presence-room.kitchen', MessageSent::class);
        $this->published->assertPublishedToOthers(MessageSent::class, '1.2');
        $this->published->assertPublished(MessageSent::class, static fn (array $data): bool => $data === ['id' => 1, 'from' => $ann->name, 'text' => 'Tea!']);
        $this->get('/rooms/kitchen')->assertSee('Tea!');
        $this->get('/rooms/lobby')->assertDontSee('Tea!');
    }

    public function testAPokeIsANotificationToOneUser(): void
    {
        $bob = User::query()->create(['name' => 'Bob']);
        $this->actingAs(User::query()->create(['name' => 'Ann']))->postJson("/users/$bob->id/poke")->assertNoContent();
        $this->published->assertPublishedTo("private-App.Models.User.$bob->id", BroadcastNotificationCreated::class);
        $this->published->assertPublished(BroadcastNotificationCreated::class, static fn (array $data): bool => $data['by'] === 'Ann');
    }

    public function testChannelsAreForThoseWhoMay(): void
    {
        $signer = new Signer(new App('4711', 'example-key', 'example-secret'));
        $ask = fn (string $channel) => $this->postJson('/broadcasting/auth', ['socket_id' => '1.2', 'channel_name' => $channel]);
        $ask('presence-room.lobby')->assertUnauthorized();
        $this->actingAs(User::query()->create(['name' => 'Ann']));
        $data = '{"user_id":"1","user_info":{"name":"Ann"}}';
        $ask('presence-room.lobby')->assertOk()->assertExactJson(['auth' => $signer->channel('1.2', 'presence-room.lobby', $data), 'channel_data' => $data]);
        $ask('private-App.Models.User.1')->assertOk();
        $ask('private-App.Models.User.2')->assertForbidden();
    }
}
