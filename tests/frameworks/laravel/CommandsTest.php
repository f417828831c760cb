<?php

declare(strict_types=1);

namespace Tests\Laravel;

use Illuminate\Support\Facades\Http;

final class CommandsTest extends TestCase
{
    protected function site(): Site
    {
        return new Site(env: "APP_NAME=Site\nBROADCAST_DRIVER=reverb\nREVERB_APP_KEY=of-reverb\nLAST=1");
    }

    public function testInstallWritesWhatIsMissingAndKeepsWhatIsThere(): void
    {
        $this->artisan('frankenphp-ws:install', ['--no-octane' => true])
            ->expectsConfirmation('BROADCAST_DRIVER is reverb. Make it frankenphp?', 'yes')
            ->expectsOutput('  grep ^REVERB_APP_ .env | frankenphp run --envfile /dev/stdin')
            ->assertSuccessful();
        self::assertMatchesRegularExpression('/\AAPP_NAME=Site\nBROADCAST_DRIVER=frankenphp\nREVERB_APP_KEY=of-reverb\nLAST=1\nREVERB_APP_ID=\d{6}\nREVERB_APP_SECRET=[a-z0-9]{20}\n\z/', $this->site->read('.env'));
        self::assertSame(file_get_contents(__DIR__ . '/../../../php/laravel/config/frankenphp-ws.php'), $this->site->read('config/frankenphp-ws.php'));
        self::assertStringContainsString('Worker::run(', $this->site->read('frankenphp-ws-worker.php'));
        self::assertStringContainsString('grep ^REVERB_APP_ .env | frankenphp run --envfile /dev/stdin', $this->site->read('Caddyfile'));
    }

    public function testASecondInstallChangesNothing(): void
    {
        $this->artisan('frankenphp-ws:install', ['--octane' => true, '--force' => true])->assertSuccessful();
        $before = array_map($this->site->read(...), ['.env', 'Caddyfile', 'config/frankenphp-ws.php', 'frankenphp-ws-worker.php']);
        $this->artisan('frankenphp-ws:install', ['--octane' => true])->assertSuccessful();
        self::assertSame($before, array_map($this->site->read(...), ['.env', 'Caddyfile', 'config/frankenphp-ws.php', 'frankenphp-ws-worker.php']));
    }

    public function testACommentInEnvIsNoValue(): void
    {
        $this->site->write('.env', "BROADCAST_DRIVER=log # until there is another one\nREVERB_APP_ID= # to be set\nREVERB_APP_KEY=\"a # b\" # kept\n");
        $this->artisan('frankenphp-ws:install', ['--no-octane' => true])->assertSuccessful();
        self::assertMatchesRegularExpression('/\ABROADCAST_DRIVER=frankenphp\nREVERB_APP_ID=\d{6}\nREVERB_APP_KEY="a # b" # kept\nREVERB_APP_SECRET=/', $this->site->read('.env'));
    }

    public function testTheLineThatCountsForLaravelIsReadAndChanged(): void
    {
        $this->site->write('.env', "BROADCAST_DRIVER=log\r\nexport REVERB_APP_ID=7\r\n REVERB_APP_KEY=mine#no part of it\r\nBROADCAST_DRIVER=null");
        $this->artisan('frankenphp-ws:install', ['--no-octane' => true])->assertSuccessful();
        self::assertMatchesRegularExpression('/\ABROADCAST_DRIVER=log\r\nexport REVERB_APP_ID=7\r\n REVERB_APP_KEY=mine#no part of it\r\nBROADCAST_DRIVER=frankenphp\r\nREVERB_APP_SECRET=[a-z0-9]{20}\r\n\z/', $this->site->read('.env'));
        $read = \Dotenv\Dotenv::parse($this->site->read('.env'));
        self::assertSame(['frankenphp', '7', 'mine'], [$read['BROADCAST_DRIVER'], $read['REVERB_APP_ID'], $read['REVERB_APP_KEY']]);
    }

    public function testTheKeysOfASiteThatWasMadeForPusherStay(): void
    {
        $this->site->write('.env', "BROADCAST_DRIVER=log\nBROADCAST_CONNECTION=log\nPUSHER_APP_ID=7\nPUSHER_APP_KEY=k\nPUSHER_APP_SECRET=\"a b\"\nVITE_PUSHER_APP_KEY=\"\${PUSHER_APP_KEY}\"\n");
        $this->artisan('frankenphp-ws:install', ['--no-octane' => true])->assertSuccessful();
        self::assertStringEndsWith("\nREVERB_APP_ID=7\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=\"a b\"\n", $this->site->read('.env'));
        self::assertStringStartsWith("BROADCAST_DRIVER=frankenphp\nBROADCAST_CONNECTION=frankenphp\n", $this->site->read('.env'));
        // What Laravel comes with has none.
        $this->site->write('.env', "BROADCAST_DRIVER=log\nPUSHER_APP_ID=\nPUSHER_APP_KEY=\nPUSHER_APP_SECRET=\n");
        $this->artisan('frankenphp-ws:install', ['--no-octane' => true])->assertSuccessful();
        self::assertMatchesRegularExpression('/^REVERB_APP_KEY=[a-z0-9]{20}$/m', $this->site->read('.env'));
    }

    public function testInstallAsksBeforeItOverwrites(): void
    {
        $this->site->write('Caddyfile', 'mine');
        $this->artisan('frankenphp-ws:install', ['--no-octane' => true])
            ->expectsConfirmation('Caddyfile is there already, and is another. Overwrite it?', 'no')
            ->expectsConfirmation('BROADCAST_DRIVER is reverb. Make it frankenphp?', 'no')
            ->expectsOutputToContain('stays reverb: broadcasts do not go this way')
            ->assertSuccessful();
        self::assertSame('mine', $this->site->read('Caddyfile'));
        self::assertStringContainsString('BROADCAST_DRIVER=reverb', $this->site->read('.env'));
    }

    public function testClientsAreListed(): void
    {
        Http::fake([
            'localhost:2019/websocket/clients?route=chat' => Http::response('{"names":["a","gone"]}'),
            'localhost:2019/websocket/clients/a' => Http::response('{"client":{"id":"a","route":"chat","user":"7","ip":"127.0.0.1","tags":["x","y"]}}'),
            'localhost:2019/websocket/clients/gone' => Http::response('', 404),
        ]);
        $this->artisan('frankenphp-ws:clients', ['--route' => 'chat'])
            ->expectsTable(['Id', 'Route', 'User', 'Address', 'Tags'], [['a', 'chat', '7', '127.0.0.1', 'x y']])->assertSuccessful();
    }

    public function testALimitThatIsNoNumberIsAnError(): void
    {
        Http::fake();
        foreach (['many', '-1', '1.5', ''] as $limit) {
            $this->artisan('frankenphp-ws:clients', ['--limit' => $limit])->expectsOutputToContain("--limit must be a whole number, not \"$limit\"")->assertExitCode(2);
        }
        Http::assertNothingSent();
    }

    public function testWhatClientsSayOfThemselvesIsShownAsItIsAndMovesNoCursor(): void
    {
        Http::fake([
            '*/websocket/clients' => Http::response('{"names":["a"]}'),
            '*/websocket/clients/a' => Http::response('{"client":{"id":"a","route":"chat","user":"<error>root</error>\u001b[2J","ip":"127.0.0.1","tags":["<x>"]}}'),
        ]);
        self::assertSame(0, \Illuminate\Support\Facades\Artisan::call('frankenphp-ws:clients'));
        $output = \Illuminate\Support\Facades\Artisan::output();
        self::assertStringContainsString('| <error>root</error>�[2J | 127.0.0.1 | <x>', $output);
    }

    public function testAnAddressOfTheAdminEndpointThatIsNoneIsAnErrorInOneLine(): void
    {
        $this->app['config']->set('frankenphp-ws.admin', 'unix//run/caddy.sock');
        foreach (['clients', 'stats', 'restart'] as $command) {
            $this->artisan("frankenphp-ws:$command")->expectsOutputToContain('the admin endpoint must be as localhost:2019, not "unix//run/caddy.sock"')->assertFailed();
        }
    }

    public function testCountersAreShown(): void
    {
        Http::fake(['localhost:2019/websocket/stats' => Http::response('{"connections":3}')]);
        $this->artisan('frankenphp-ws:stats', ['--json' => true])->expectsOutputToContain('"connections": 3')->assertSuccessful();
        $this->artisan('frankenphp-ws:stats')->expectsOutputToContain('connections')->assertSuccessful();
    }

    public function testRestartAsksCaddyForNewWorkers(): void
    {
        Http::fake(['localhost:2019/frankenphp/workers/restart' => Http::response('')]);
        $this->artisan('frankenphp-ws:restart')->assertSuccessful();
        Http::assertSent(static fn ($request): bool => $request->method() === 'POST');
    }

    public function testWithoutAServerTheMessageSaysWhichAddressDidNotAnswer(): void
    {
        $this->app['config']->set('frankenphp-ws.admin', 'localhost:1');
        foreach (['clients', 'stats', 'restart'] as $command) {
            $this->artisan("frankenphp-ws:$command")->expectsOutputToContain('http://localhost:1 does not answer')->assertFailed();
        }
    }
}
