<?php

declare(strict_types=1);

namespace Tests\Symfony;

use PHPUnit\Framework\AssertionFailedError;
use PHPUnit\Framework\TestCase;
use Symfony\Component\Filesystem\Filesystem;
use Symfony\Component\HttpClient\HttpClient;
use Tests\RunningServer;
use Tests\WebSocketClient;

/** A site as `symfony/skeleton` makes it, with the files of docs/symfony.md as they stand there, under the real binary. */
final class GuideTest extends TestCase
{
    private const FILES = [
        'src/Kernel.php' => '<?php namespace App; class Kernel extends \Symfony\Component\HttpKernel\Kernel { use \Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait; public function getProjectDir(): string { return dirname(__DIR__); } }',
        'src/Pages.php' => '<?php namespace App; final class Pages { public function pay(Orders $orders): \Symfony\Component\HttpFoundation\Response { $orders->paid(7, null); return new \Symfony\Component\HttpFoundation\Response("paid"); } }',
        'public/index.php' => '<?php use App\Kernel; require_once dirname(__DIR__) . "/vendor/autoload_runtime.php"; return fn (array $context) => new Kernel($context["APP_ENV"], (bool) $context["APP_DEBUG"]);',
        'config/services.yaml' => "services:\n    _defaults: { autowire: true, autoconfigure: true }\n    App\\: { resource: '../src/', exclude: '../src/Kernel.php' }\n    App\\Pages: { tags: [controller.service_arguments] }\n",
        'config/routes.yaml' => "pay: { path: /pay, controller: 'App\\Pages::pay' }\n",
        'config/packages/framework.yaml' => "framework: { secret: '%env(APP_SECRET)%', http_method_override: false, handle_all_throwables: true, php_errors: { log: true }, http_client: true }\n",
        'config/packages/security.yaml' => <<<'E'
            security:
                password_hashers: { Symfony\Component\Security\Core\User\InMemoryUser: plaintext }
                providers: { people: { memory: { users: { '7': { password: secret, roles: [ROLE_USER] } } } } }
                firewalls: { main: { stateless: true, provider: people, http_basic: ~ } }
            E,
    ];

    private string $folder;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/fws-guide-' . bin2hex(random_bytes(6));
        foreach (self::FILES as $name => $text) {
            $this->write($name, $text);
        }
        $this->write('vendor/autoload.php', '<?php require_once ' . var_export(dirname(__DIR__) . '/bootstrap.php', true)
            . '; spl_autoload_register(static function (string $class): void { $file = dirname(__DIR__) . "/src/" . strtr(substr($class, 4), "\\\\", "/") . ".php"; if (str_starts_with($class, "App\\\\") && is_file($file)) { require $file; } });');
        $this->write('vendor/autoload_runtime.php', strtr((string) file_get_contents(dirname((string) (new \ReflectionClass(\Symfony\Component\Runtime\SymfonyRuntime::class))->getFileName()) . '/Internal/autoload_runtime.template'), [
            '%runtime_class%' => "'Symfony\\\\Component\\\\Runtime\\\\SymfonyRuntime'", '%runtime_options%' => "['project_dir' => dirname(__DIR__)]",
        ]));
        $this->write('config/bundles.php', str_replace("return [\n", "return [\n    Symfony\\Bundle\\FrameworkBundle\\FrameworkBundle::class => ['all' => true],\n    Symfony\\Bundle\\SecurityBundle\\SecurityBundle::class => ['all' => true],\n", "<?php\n" . self::block('php', 'config/bundles.php')));
        [$packages, $routes] = explode("# config/routes/frankenphp_ws.yaml\n", self::block('yaml', 'config/packages/frankenphp_ws.yaml'));
        $this->write('config/packages/frankenphp_ws.yaml', $packages);
        $this->write('config/routes/frankenphp_ws.yaml', $routes);
        $this->write('.env', "APP_ENV=prod\nAPP_SECRET=s\n" . self::block('ini', 'PUSHER_APP_ID'));
        $this->write('worker.php', self::block('php', 'autoload_runtime.php'));
        foreach (['Chat' => '#[AsWebSocketHandler', 'Orders' => 'class Orders', 'OrdersVoter' => 'class OrdersVoter'] as $class => $text) {
            $this->write("src/$class.php", "<?php\nnamespace App;\n" . self::block('php', $text));
        }
    }

    protected function tearDown(): void
    {
        (new Filesystem())->remove($this->folder);
    }

    public function testASiteThatFollowsTheGuideHasWebSocketsAndPublishes(): void
    {
        $server = $this->start();
        try {
            $login = 'Basic ' . base64_encode('7:secret');
            $chat = new WebSocketClient($server->port, '/chat', ['Authorization' => $login]);
            $chat->send('hello');
            self::assertSame('{"from":"7","text":"hello"}', $chat->receive());
            $pusher = new WebSocketClient($server->port, '/app/my-key?protocol=7&client=js&version=8.6.0');
            $hello = json_decode((string) $pusher->receive(), true, flags: JSON_THROW_ON_ERROR);
            $socketId = json_decode($hello['data'], true, flags: JSON_THROW_ON_ERROR)['socket_id'];
            $http = HttpClient::create();
            $ask = static fn (string $channel, array $headers = []) => $http->request('POST', "http://127.0.0.1:$server->port/_websocket/auth", ['headers' => $headers, 'body' => ['socket_id' => $socketId, 'channel_name' => $channel]]);
            self::assertSame(403, $ask('private-orders.7')->getStatusCode());
            self::assertSame(403, $ask('private-orders.8', ['Authorization' => $login])->getStatusCode());
            $pusher->send(json_encode(['event' => 'pusher:subscribe', 'data' => ['channel' => 'private-orders.7'] + $ask('private-orders.7', ['Authorization' => $login])->toArray()], JSON_THROW_ON_ERROR));
            self::assertStringContainsString('subscription_succeeded', (string) $pusher->receive());
            self::assertSame('paid', $server->get('/pay'));
            self::assertSame(['event' => 'order.paid', 'channel' => 'private-orders.7', 'data' => '{"id":7}'], array_intersect_key(json_decode((string) $pusher->receive(), true, flags: JSON_THROW_ON_ERROR), ['event' => 1, 'channel' => 1, 'data' => 1]));
        } finally {
            $server->stop();
        }
    }

    public function testAWorkerThatDoesNotStartSaysWhyInTheLogAndShowsNoPage(): void
    {
        $this->write('.env', "APP_ENV=prod\nAPP_SECRET=s\nPUSHER_APP_ID=4711\n");
        $this->write('src/Chat.php', str_replace('SecurityUsers $users)', 'SecurityUsers $users, \FrankenPHP\WebSocket\Pusher\Publisher $publisher)', (string) file_get_contents("$this->folder/src/Chat.php")));
        try {
            $this->start()->stop();
            self::fail('the server has started');
        } catch (AssertionFailedError $error) {
            self::assertStringContainsString('The Symfony application of a WebSocket worker did not start: ', $error->getMessage());
            self::assertStringContainsString('Environment variable not found', $error->getMessage());
            self::assertStringNotContainsString('<html', $error->getMessage());
        }
    }

    private function start(): RunningServer
    {
        return new RunningServer($this->folder, str_replace(':8080 {', 'http://127.0.0.1:{$PORT} {', self::block('caddyfile', 'frankenphp {')));
    }

    private function write(string $name, string $text): void
    {
        (new Filesystem())->dumpFile("$this->folder/$name", $text);
    }

    /** The first block of the guide in a language that has a text in it. */
    private static function block(string $language, string $with): string
    {
        preg_match_all("/^```$language\n(.*?)^```/ms", (string) file_get_contents(dirname(__DIR__, 3) . '/docs/symfony.md'), $blocks);

        return array_values(array_filter($blocks[1], static fn (string $block): bool => str_contains($block, $with)))[0] ?? throw new \LogicException("the guide has no block of $language with $with");
    }
}
