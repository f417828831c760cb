<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Symfony\Controller\AuthorizeController;
use FrankenPHP\WebSocket\Symfony\Controller\PusherController;
use FrankenPHP\WebSocket\Symfony\Security\Channel;
use FrankenPHP\WebSocket\Symfony\Security\CurrentUser;
use PHPUnit\Framework\TestCase;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\Security\Core\Authentication\AuthenticationTrustResolver;
use Symfony\Component\Security\Core\Authentication\AuthenticationTrustResolverInterface;
use Symfony\Component\Security\Core\Authentication\Token\RememberMeToken;
use Symfony\Component\Security\Core\Authentication\Token\Storage\TokenStorage;
use Symfony\Component\Security\Core\Authentication\Token\TokenInterface;
use Symfony\Component\Security\Core\Authentication\Token\UsernamePasswordToken;
use Symfony\Component\Security\Core\Authorization\AuthorizationCheckerInterface;

/** What is not a clear yes is a no. */
final class SecurityTest extends TestCase
{
    public function testAUserWhoHasStillToEnterASecondFactorIsNobody(): void
    {
        // As bundles for a second factor do: the token has its user, and is not trusted.
        $trust = new class implements AuthenticationTrustResolverInterface {
            public function isAuthenticated(?TokenInterface $token = null): bool
            {
                return $token?->getUser() !== null;
            }

            public function isRememberMe(?TokenInterface $token = null): bool
            {
                return false;
            }

            public function isFullFledged(?TokenInterface $token = null): bool
            {
                return false;
            }
        };
        $current = self::current(new UsernamePasswordToken(new Person('ann'), 'main'), $trust);
        self::assertSame(401, (new AuthorizeController($current))()->getStatusCode());
        self::assertFalse((new AuthorizeController($current, true))()->headers->has('WebSocket-User'));
        $pusher = self::pusher($current, static fn (): bool => true);
        self::assertSame(403, $pusher->channel(self::ask('private-orders.7'))->getStatusCode());
        self::assertSame(403, $pusher->user(self::ask(''))->getStatusCode());
    }

    public function testAUserWhoIsRememberedIsTheUserOfTheConnection(): void
    {
        $token = (new \ReflectionMethod(RememberMeToken::class, '__construct'))->getNumberOfParameters() === 2
            ? new RememberMeToken(new Person('ann'), 'main')
            : new RememberMeToken(new Person('ann'), 'main', 'secret');
        self::assertSame('ann', (new AuthorizeController(self::current($token)))()->headers->get('WebSocket-User'));
    }

    public function testNoCacheKeepsWhoMayConnect(): void
    {
        foreach ([null, new UsernamePasswordToken(new Person('ann'), 'main')] as $token) {
            self::assertStringContainsString('no-store', (string) (new AuthorizeController(self::current($token)))()->headers->get('Cache-Control'));
        }
    }

    public function testVotersAreAskedOnlyAboutChannelsThatAreToBeAsked(): void
    {
        $asked = [];
        $pusher = self::pusher(self::current(new UsernamePasswordToken(new Person('ann'), 'main')), static function (Channel $channel) use (&$asked): bool {
            $asked[] = $channel->name;

            return true;
        });
        foreach (['', 'news', '#server-to-user-bob', "private-orders.7\n", "private-\xff", 'private-a:b', ['private-orders.7'], 'private-' . str_repeat('x', 300)] as $channel) {
            self::assertSame(403, $pusher->channel(self::ask($channel))->getStatusCode());
        }
        foreach (['', '1', '1.2:x', "1.2\n", ['1.2'], '1.2::user::{"id":"bob"}'] as $socketId) {
            self::assertSame(403, $pusher->channel(self::ask('private-orders.7', $socketId))->getStatusCode());
            self::assertSame(403, $pusher->user(self::ask('', $socketId))->getStatusCode());
        }
        self::assertSame([], $asked);
        self::assertSame(200, $pusher->channel(self::ask('private-orders.7'))->getStatusCode());
        self::assertSame(['private-orders.7'], $asked);
    }

    public function testAVoterThatFailsIsNoYes(): void
    {
        $pusher = self::pusher(self::current(new UsernamePasswordToken(new Person('ann'), 'main')), static fn (): bool => throw new \RuntimeException('the database is away'));
        $this->expectExceptionMessage('the database is away');
        $pusher->channel(self::ask('private-orders.7'));
    }

    private static function current(?TokenInterface $token, AuthenticationTrustResolverInterface $trust = new AuthenticationTrustResolver()): CurrentUser
    {
        $tokens = new TokenStorage();
        $tokens->setToken($token);

        return new CurrentUser($tokens, $trust);
    }

    /** @param \Closure(Channel): bool $vote */
    private static function pusher(CurrentUser $current, \Closure $vote): PusherController
    {
        return new PusherController(new Authorizer(new App('1', 'key', 'secret')), $current, new class($vote) implements AuthorizationCheckerInterface {
            public function __construct(private readonly \Closure $vote)
            {
            }

            public function isGranted(mixed $attribute, mixed $subject = null, mixed $decision = null): bool
            {
                return ($this->vote)($subject);
            }
        });
    }

    /** @param string|list<string> $channel @param string|list<string> $socketId */
    private static function ask(string|array $channel, string|array $socketId = '1.2'): Request
    {
        return Request::create('/_websocket/auth', 'POST', ['channel_name' => $channel, 'socket_id' => $socketId]);
    }
}
