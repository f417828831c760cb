<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\ControlException;
use FrankenPHP\WebSocket\HttpClient;
use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\Encryption;
use FrankenPHP\WebSocket\Pusher\FallbackTransport;
use FrankenPHP\WebSocket\Pusher\HttpTransport;
use FrankenPHP\WebSocket\Pusher\Message;
use FrankenPHP\WebSocket\Pusher\PublishException;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Pusher\RefusedException;
use FrankenPHP\WebSocket\Pusher\ServerTransport;
use FrankenPHP\WebSocket\Pusher\Signer;
use FrankenPHP\WebSocket\Pusher\Transport;
use FrankenPHP\WebSocket\Pusher\Way;

/** Signatures that npm's `pusher` made. */
function signatures(): object
{
    return json_decode(file_get_contents(__DIR__ . '/../../crates/pusher/tests/testdata/signatures.json'), flags: JSON_THROW_ON_ERROR);
}

function recorder(array &$requests, int $status = 200, string $answer = '{}'): HttpClient
{
    return new class ($requests, $status, $answer) implements HttpClient {
        public function __construct(private array &$requests, private int $status, private string $answer)
        {
        }

        public function request(string $method, string $url, array $headers = [], string $body = ''): array
        {
            $this->requests[] = [$method, $url, $body];

            return [$this->status, $this->answer];
        }
    };
}

test('subscriptions and users are signed as by the npm library', static function (): void {
    $known = signatures();
    $signer = new Signer(new App('3', $known->key, $known->secret));
    foreach ($known->channels as $case) {
        same($case->auth, $signer->channel($case->socketId, $case->name, $case->channel_data ?? null));
    }
    foreach ($known->users as $case) {
        same($case->auth, $signer->user($case->socketId, $case->user_data));
    }
    same(true, count($known->channels) > 3 && count($known->users) > 1);
});

test('a call of the HTTP API is signed as by the npm library', static function (): void {
    $known = signatures();
    $call = $known->calls[0];
    same($call->query, (new Signer(new App('3', $known->key, $known->secret)))->query($call->method, $call->path, $call->body, $known->now));
});

test('encrypted channels have the secrets of the npm library', static function (): void {
    $known = signatures();
    $encryption = new Encryption(base64_encode(str_repeat("\7", 32)));
    $authorizer = new Authorizer(new App('3', $known->key, $known->secret), $encryption);
    $checked = 0;
    foreach ($known->channels as $case) {
        if (isset($case->shared_secret)) {
            same(['auth' => $case->auth, 'shared_secret' => $case->shared_secret], $authorizer->privateChannel($case->socketId, $case->name));
            $checked++;
        }
    }
    same(2, $checked);
    $sealed = json_decode($encryption->encrypt('private-encrypted-x', '{"a":1}'), true);
    $key = base64_decode($encryption->sharedSecret('private-encrypted-x'));
    same('{"a":1}', sodium_crypto_secretbox_open(base64_decode($sealed['ciphertext']), base64_decode($sealed['nonce']), $key));
    throws(ConfigurationException::class, 'must be 32 bytes in base64', static fn () => new Encryption('short'));
});

test('members and users are text, whatever their ids were to the application', static function (): void {
    $authorizer = new Authorizer(new App('1', 'key', 'secret'));
    same('{"user_id":"7","user_info":{"name":"Ann"}}', $authorizer->presenceChannel('1.2', 'presence-x', 7, ['name' => 'Ann'])['channel_data']);
    same('{"id":"7","name":"Ann"}', $authorizer->user('1.2', ['id' => 7, 'name' => 'Ann'])['user_data']);
    throws(RefusedException::class, 'needs an "id"', static fn () => $authorizer->user('1.2', ['name' => 'Ann']));
});

test('nothing is signed for a socket id or a channel that is none', static function (): void {
    $signer = new Signer(new App('1', 'key', 'secret'));
    foreach (['', '1', '1.2:private-x', "1.2\n", '1.2::user::{}'] as $socketId) {
        throws(RefusedException::class, 'a socket id is digits, a dot and digits', static fn () => $signer->channel($socketId, 'private-x'));
        throws(RefusedException::class, 'a socket id is', static fn () => $signer->user($socketId, '{}'));
    }
    foreach (['', 'private-x:y', 'private x', "private-x\n", str_repeat('x', 201)] as $channel) {
        throws(RefusedException::class, 'a channel has a name of', static fn () => $signer->channel('1.2', $channel));
    }
});

test('the HTTP API is called with the path signed but for what a site has in front of it, a hundred channels at a time', static function (): void {
    $requests = [];
    $app = new App('7', 'key', 'secret');
    $transport = new HttpTransport($app, 'https://site.example/ws/', recorder($requests), static fn (): int => 1700000000);
    $transport->publish(new Message(array_map(static fn (int $n): string => "c$n", range(1, 101)), 'e', '"é"', '1.2'));
    same(2, count($requests));
    [$method, $url, $body] = $requests[1];
    same(['POST', '{"name":"e","channels":["c101"],"data":"\"é\"","socket_id":"1.2"}'], [$method, $body]);
    same('https://site.example/ws/apps/7/events?' . (new Signer($app))->query('POST', '/apps/7/events', $body, 1700000000), $url);
});

test('a call that was refused says why, and what may be wrong', static function (): void {
    $requests = [];
    $message = new Message(['x'], 'e', '{}');
    foreach ([308 => 'is the URL to begin with https?', 401 => 'is the secret that of the Caddyfile', 404 => 'does the Caddyfile have a pusher route', 413 => 'larger than', 500 => 'answered 500: oops'] as $status => $hint) {
        $transport = new HttpTransport(new App('7', 'key', 'secret'), 'http://localhost:8080', recorder($requests, $status, 'oops'));
        throws(PublishException::class, $hint, static fn () => $transport->publish($message));
    }
    throws(ConfigurationException::class, 'must be as https://example.com', static fn () => new HttpTransport(new App('7', 'key', 'secret'), 'localhost', recorder($requests)));
});

test('the way to the server is the one that works here, or the message says what would', static function (): void {
    $app = new App('7', 'key', 'secret');
    $requests = [];
    $http = new HttpTransport($app, 'http://localhost', recorder($requests));
    same(ServerTransport::class, Way::Auto->transport($app, null, true, 'frankenphp')::class);
    same(FallbackTransport::class, Way::Auto->transport($app, $http, true, 'frankenphp')::class);
    $none = static fn () => throw new Failure('HTTP is not needed there');
    same(ServerTransport::class, Way::Process->transport($app, $none, true, 'frankenphp')::class);
    same(FallbackTransport::class, Way::Auto->transport($app, $none, true, 'frankenphp')::class);
    same($http, Way::Http->transport($app, static fn () => $http));
    same(FallbackTransport::class, Way::Auto->transport($app, $http, true, 'cli')::class);
    same(ServerTransport::class, Way::Auto->transport($app, null, true, 'cli')::class);
    same($http, Way::Auto->transport($app, $http, false, 'cli'));
    throws(ConfigurationException::class, 'Run the script by `frankenphp php-cli`, or configure the URL', static fn () => Way::Auto->transport($app, null, false));
    throws(ConfigurationException::class, 'works in workers and web requests of the server only, and this is another process', static fn () => Way::Process->transport($app, $http, true, 'cli'));
    throws(ConfigurationException::class, 'works in `frankenphp php-cli` only', static fn () => Way::Control->transport($app, $http, false, 'cli'));
    throws(ConfigurationException::class, 'needs the URL of the site', static fn () => Way::Http->transport($app, null));
    throws(ConfigurationException::class, 'only: auto, process, control, http', static fn () => Way::of('redis'));
});

test('where no server is reached HTTP is next, but nothing is published twice', static function (): void {
    $failing = static fn (int $code, string $class = ControlException::class): Transport => new class ($code, $class) implements Transport {
        public function __construct(private int $code, private string $class)
        {
        }

        public function publish(Message $message): void
        {
            throw new PublishException('no', $this->code, new $this->class('no', $this->code));
        }

        public function name(): string
        {
            return 'failing';
        }
    };
    new FrankenPHP\WebSocket\Testing\FakeServer(new Recorder()); // which knows the exceptions
    preg_match('/FWS_ERR_CONTROL_LOST = (\d+)/', file_get_contents(__DIR__ . '/../../include/fws.h'), $lost);
    $requests = [];
    $http = new HttpTransport(new App('7', 'key', 'secret'), 'http://localhost', recorder($requests));
    (new FallbackTransport($failing(27), $http))->publish(new Message(['x'], 'e', '{}'));
    same(1, count($requests));
    (new FallbackTransport($failing(0, FrankenPHP\WebSocket\NotRunningException::class), static fn () => $http))->publish(new Message(['x'], 'e', '{}'));
    same(2, count($requests));
    throws(PublishException::class, 'no', static fn () => (new FallbackTransport($failing((int) $lost[1]), $http))->publish(new Message(['x'], 'e', '{}')));
    $down = new HttpTransport(new App('7', 'key', 'secret'), 'http://localhost', recorder($requests, 503, 'away'));
    throws(PublishException::class, 'answered 503: away. It went this way because failing did not work: no', static fn () => (new FallbackTransport($failing(27), $down))->publish(new Message(['x'], 'e', '{}')));
    array_pop($requests);
    throws(PublishException::class, 'no', static fn () => (new FallbackTransport($failing(0, FrankenPHP\WebSocket\InvalidArgumentException::class), $http))->publish(new Message(['x'], 'e', '{}')));
    same(2, count($requests));
});

test('a publisher sends JSON, once to each channel, and to encrypted ones what only subscribers can read', static function (): void {
    $requests = [];
    $http = new HttpTransport(new App('7', 'key', 'secret'), 'http://localhost', recorder($requests));
    $publisher = new Publisher(static fn (): Transport => $http, new Encryption(base64_encode(str_repeat('k', 32))));
    $publisher->publish(['a', 'a', 'private-encrypted-b'], 'e', ['x' => 'é/', 'n' => 1.0]);
    $publisher->publish([], 'e');
    same(2, count($requests));
    same(['private-encrypted-b'], json_decode($requests[0][2], true)['channels']);
    same(['nonce', 'ciphertext'], array_keys(json_decode(json_decode($requests[0][2], true)['data'], true)));
    same('{"name":"e","channels":["a"],"data":"{\"x\":\"é/\",\"n\":1.0}"}', $requests[1][2]);
    throws(PublishException::class, 'cannot be written as JSON', static fn () => $publisher->publish('a', 'e', "\xff"));
    throws(ConfigurationException::class, 'no master key', static fn () => (new Publisher($http))->publish('private-encrypted-b', 'e'));
});

test('what can never be published says that to try again is of no use', static function (): void {
    $final = static function (\Closure $publish): bool {
        try {
            $publish();
        } catch (PublishException $error) {
            return $error->isFinal;
        }
        throw new Failure('nothing was thrown');
    };
    $requests = [];
    $answered = static fn (int $status): Publisher => new Publisher(new HttpTransport(new App('7', 'key', 'secret'), 'http://localhost', recorder($requests, $status)));
    same([true, true, false, false, false], array_map(static fn (int $status): bool => $final(static fn () => $answered($status)->publish('a', 'e')), [400, 413, 401, 404, 503]));
    same(true, $final(static fn () => $answered(200)->publish('a', 'e', "\xff")));
    $refusing = new class implements Transport {
        public function publish(Message $message): void
        {
            throw new PublishException('too large', 413, null, true);
        }

        public function name(): string
        {
            return 'refusing';
        }
    };
    $away = new class implements Transport {
        public function publish(Message $message): void
        {
            throw new PublishException('away', 27, new ControlException('away', 27));
        }

        public function name(): string
        {
            return 'away';
        }
    };
    same(true, $final(static fn () => (new FallbackTransport($away, $refusing))->publish(new Message(['a'], 'e', '{}'))));
});

test('without sodium, what is published to an encrypted channel says what is missing', static function (): void {
    [, $output] = runPhp('-d disable_functions=sodium_crypto_secretbox', '<?php
        require ' . var_export(dirname(__DIR__, 2) . '/php/autoload.php', true) . ';
        try {
            (new FrankenPHP\WebSocket\Pusher\Encryption(base64_encode(str_repeat("k", 32))))->encrypt("private-encrypted-a", "secret");
        } catch (FrankenPHP\WebSocket\Pusher\ConfigurationException $error) {
            echo $error->getMessage();
        }');
    same('"private-encrypted-a" is an encrypted channel, and to publish to it PHP needs the extension sodium, which is not there', $output);
});

test('a secret is in no dump', static function (): void {
    same(false, str_contains(print_r(new App('1', 'key', 'hidden'), true), 'hidden'));
    throws(ConfigurationException::class, 'the key of the Pusher application must be', static fn () => new App('1', '', 'x'));
});

test('in the server, and in its php-cli, messages go by the function of the binary', static function (): void {
    // In a PHP of its own, where the function can be defined as the binary defines it.
    [$code, $output] = runPhp('', '<?php
        function frankenphp_ws_publish(string|array $channels, string $event, string $data, ?string $exceptSocketId = null, ?string $app = null): int|bool
        {
            echo json_encode(func_get_args(), JSON_UNESCAPED_SLASHES), "\n";

            match ($event) {
                "large" => throw new FrankenPHP\WebSocket\InvalidArgumentException("too large", 12),
                "early" => throw new FrankenPHP\WebSocket\InvalidArgumentException("no route has the application", 43),
                default => 0,
            };

            return $event === "refused" ? false : 0;
        }
        require ' . var_export(dirname(__DIR__, 2) . '/php/fake/exceptions.php', true) . ';
        require ' . var_export(dirname(__DIR__, 2) . '/php/autoload.php', true) . ';
        $app = new FrankenPHP\WebSocket\Pusher\App("7", "key", "secret");
        $publisher = new FrankenPHP\WebSocket\Pusher\Publisher(FrankenPHP\WebSocket\Pusher\Way::Auto->transport($app, null, true));
        echo $publisher->way(), "\n";
        $publisher->publish(["a", "b"], "e", ["n" => 1], "1.2");
        $publisher->publish("a", "e");
        $publisher->publish(array_map(static fn (int $n): string => "c$n", range(1, 101)), "many");
        try {
            $publisher->publish("a", "refused");
        } catch (FrankenPHP\WebSocket\Pusher\PublishException $error) {
            echo $error->getMessage(), "\n";
        }
        foreach (["large", "early"] as $event) {
            try {
                $publisher->publish("a", $event);
            } catch (FrankenPHP\WebSocket\Pusher\PublishException $error) {
                echo $error->isFinal ? "never" : "later", ": ", $error->getMessage(), "\n";
            }
        }');
    same([0, 'the control socket
[["a","b"],"e","{\"n\":1}","1.2","7"]
[["a"],"e","[]",null,"7"]
' . json_encode([array_map(static fn (int $n): string => "c$n", range(1, 100)), 'many', '[]', null, '7']) . '
[["c101"],"many","[]",null,"7"]
[["a"],"refused","[]",null,"7"]
"refused" was not published: the server did not take it; its log says why
[["a"],"large","[]",null,"7"]
never: "large" was not published: too large
[["a"],"early","[]",null,"7"]
later: "early" was not published: no route has the application'], [$code, $output]);
});
