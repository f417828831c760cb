<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\PublishException;
use FrankenPHP\WebSocket\Pusher\Signer;
use FrankenPHP\WebSocket\Symfony\Console\ClientsCommand;
use FrankenPHP\WebSocket\Symfony\Console\RestartCommand;
use FrankenPHP\WebSocket\Symfony\Console\StatsCommand;
use FrankenPHP\WebSocket\Symfony\Messenger\Publish;
use FrankenPHP\WebSocket\Symfony\Messenger\PublishHandler;
use FrankenPHP\WebSocket\Symfony\Settings;
use PHPUnit\Framework\TestCase;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Tester\CommandTester;
use Symfony\Component\HttpClient\Exception\TransportException;
use Symfony\Component\HttpClient\MockHttpClient;
use Symfony\Component\HttpClient\Response\MockResponse;
use Symfony\Component\Messenger\Exception\UnrecoverableMessageHandlingException;

final class SettingsTest extends TestCase
{
    public function testAnEventIsSentByTheSignedHttpApi(): void
    {
        $requests = [];
        $http = new MockHttpClient(static function (string $method, string $url, array $options) use (&$requests): MockResponse {
            $requests[] = [$method, $url, $options['body']];

            return new MockResponse('{}');
        });
        self::settings($http)->publisher()->publish(['news', 'private-x'], 'e', ['n' => 1], '1.2');
        [[$method, $url, $body]] = $requests;
        parse_str((string) parse_url($url, PHP_URL_QUERY), $query);
        self::assertSame(['POST', '{"name":"e","channels":["news","private-x"],"data":"{\"n\":1}","socket_id":"1.2"}'], [$method, $body]);
        self::assertSame('https://site.example/apps/1/events?' . (new Signer(new App('1', 'key', 'secret')))->query('POST', '/apps/1/events', $body, (int) $query['auth_timestamp']), $url);
    }

    public function testWhatIsRefusedSaysWhy(): void
    {
        $this->expectException(PublishException::class);
        $this->expectExceptionMessage('https://site.example answered 413 (the data is larger than the server allows): too large');
        self::settings(new MockHttpClient(new MockResponse('too large', ['http_code' => 413])))->publisher()->publish('news', 'e');
    }

    public function testWithoutAnyWayTheMessageSaysWhatToConfigure(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage('Run the script by `frankenphp php-cli`, or configure the URL of the site');
        self::settings(null, null)->publisher()->publish('news', 'e');
    }

    public function testWithoutAnHttpClientTheMessageNamesIt(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage('composer require symfony/http-client');
        self::settings(null)->publisher()->publish('news', 'e');
    }

    public function testMessengerDoesNotTryAgainWhatCanNeverBeRight(): void
    {
        $thrown = static function (int $status, Publish $message): string {
            try {
                (new PublishHandler(self::settings(new MockHttpClient(new MockResponse('', ['http_code' => $status])))->publisher()))($message);
            } catch (\Throwable $error) {
                return $error::class;
            }

            return 'nothing';
        };
        foreach ([[200, new Publish('no channel', 'e')], [200, new Publish('news', 'e', "\xff")], [200, new Publish('news', 'e', [], 'nobody')], [413, new Publish('news', 'e')], [400, new Publish('news', 'e')]] as [$status, $message]) {
            self::assertSame(UnrecoverableMessageHandlingException::class, $thrown($status, $message));
        }
        foreach ([401, 503] as $status) {
            self::assertSame(PublishException::class, $thrown($status, new Publish('news', 'e')));
        }
        self::assertSame('nothing', $thrown(200, new Publish('news', 'e', [], '1.2')));
    }

    public function testCommandsAskTheAdminEndpoint(): void
    {
        $server = self::settings(new MockHttpClient(static fn (string $method, string $url): MockResponse => match ("$method $url") {
            'GET http://localhost:2019/websocket/clients?user=ann' => new MockResponse('{"names":["a","gone"]}'),
            'GET http://localhost:2019/websocket/clients/a' => new MockResponse('{"client":{"id":"a","route":"chat","user":"ann","ip":"::1","tags":["x"]}}'),
            'GET http://localhost:2019/websocket/clients/gone' => new MockResponse('', ['http_code' => 404]),
            'GET http://localhost:2019/websocket/stats' => new MockResponse('{"connections":3}'),
            'POST http://localhost:2019/frankenphp/workers/restart' => new MockResponse(''),
        }))->adminApi();
        self::assertMatchesRegularExpression('/ a +chat +ann +::1 +x /', self::shown(new ClientsCommand($server), ['--user' => 'ann']));
        self::assertStringContainsString('"connections": 3', self::shown(new StatsCommand($server), ['--json' => true]));
        self::assertMatchesRegularExpression('/connections +3/', self::shown(new StatsCommand($server)));
        self::assertStringContainsString('started again', self::shown(new RestartCommand($server)));
    }

    public function testWithoutAServerTheMessageSaysWhichAddressDidNotAnswer(): void
    {
        $server = self::settings(new MockHttpClient(static fn () => throw new TransportException('refused')))->adminApi();
        foreach ([new ClientsCommand($server), new StatsCommand($server), new RestartCommand($server)] as $command) {
            self::assertStringContainsString('http://localhost:2019 does not answer', self::shown($command, [], Command::FAILURE));
        }
    }

    public function testTheLimitIsAWholeNumber(): void
    {
        foreach (['many', '-1', '1.5', ''] as $limit) {
            self::assertStringContainsString("--limit must be a whole number, not \"$limit\"", self::shown(new ClientsCommand(self::settings(new MockHttpClient())->adminApi()), ['--limit' => $limit], Command::INVALID));
        }
    }

    public function testErrorsAreWhereNoProgramReadsTheAnswerAndMoveNoCursor(): void
    {
        $server = self::settings(new MockHttpClient(new MockResponse("no \e[2Jentry <error>", ['http_code' => 403])))->adminApi();
        $tester = new CommandTester(new StatsCommand($server));
        self::assertSame(Command::FAILURE, $tester->execute(['--json' => true], ['capture_stderr_separately' => true]));
        self::assertSame('', $tester->getDisplay());
        $error = (string) preg_replace('/\s+/', ' ', $tester->getErrorOutput());
        self::assertStringContainsString("was answered with 403: no \u{FFFD}[2Jentry <error>", $error);
    }

    public function testCountersAreShownAsTheyAre(): void
    {
        $server = self::settings(new MockHttpClient(static fn (): MockResponse => new MockResponse('{"routes":{"<info>\u001b[2J":1}}')))->adminApi();
        self::assertSame('{ "routes": { "<info>\u001b[2J": 1 } } ', self::shown(new StatsCommand($server), ['--json' => true]));
        self::assertMatchesRegularExpression('/ routes\.<info>\x{FFFD}\[2J +1 /u', self::shown(new StatsCommand($server)));
        $server = self::settings(new MockHttpClient(static fn (): MockResponse => new MockResponse('{"routes":{"chat":{"connections":3,"options":{"origins":[],"resume":null}}},"messages":1.5}')))->adminApi();
        self::assertStringContainsString('routes.chat.connections 3 routes.chat.options.origins [] routes.chat.options.resume null messages 1.5', self::shown(new StatsCommand($server)));
    }

    public function testWhatClientsSayOfThemselvesIsShownAsItIsAndMovesNoCursor(): void
    {
        $server = self::settings(new MockHttpClient(static fn (string $method, string $url): MockResponse => new MockResponse(str_ends_with($url, '/clients')
            ? '{"names":["a"]}'
            : '{"client":{"id":"a","route":"chat","user":"<error>root</error>\u001b[2J","ip":"::1","tags":["<x>"]}}')))->adminApi();
        self::assertMatchesRegularExpression('# a +chat +<error>root</error>\x{FFFD}\[2J +::1 +<x> #u', self::shown(new ClientsCommand($server)));
    }

    private static function settings(?MockHttpClient $http, ?string $url = 'https://site.example'): Settings
    {
        return new Settings(['app' => ['id' => '1', 'key' => 'key', 'secret' => 'secret'], 'way' => 'auto', 'url' => $url, 'timeout' => 5.0, 'encryption_master_key' => null, 'admin' => 'localhost:2019'], $http);
    }

    /** @param array<string, mixed> $input */
    private static function shown(Command $command, array $input = [], int $status = Command::SUCCESS): string
    {
        $tester = new CommandTester($command);
        self::assertSame($status, $tester->execute($input));

        return (string) preg_replace('/\s+/', ' ', $tester->getDisplay());
    }
}
