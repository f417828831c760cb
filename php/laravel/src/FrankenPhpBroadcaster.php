<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Pusher\PublishException;
use FrankenPHP\WebSocket\Pusher\RefusedException;
use FrankenPHP\WebSocket\Pusher\Signer;
use Illuminate\Broadcasting\Broadcasters\Broadcaster;
use Illuminate\Broadcasting\Broadcasters\UsePusherChannelConventions;
use Illuminate\Broadcasting\BroadcastException;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Arr;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/** Laravel's broadcasting on the Pusher protocol of the server itself. Channels and their authorisation are as with Reverb and Pusher. */
final class FrankenPhpBroadcaster extends Broadcaster
{
    use UsePusherChannelConventions;

    /**
     * @param \Closure(): Authorizer $authorizer
     * @param \Closure(): Publisher  $publisher
     * @param bool                   $jsonp      whether authorisation may be answered with a script, as `jsonp` of Laravel's Pusher connections
     */
    public function __construct(private readonly \Closure $authorizer, private readonly \Closure $publisher, private readonly bool $jsonp = false)
    {
    }

    /**
     * Answers POST /broadcasting/user-auth.
     *
     * @param Request $request
     *
     * @return array{auth: string, user_data: string}|null null: nobody is signed in
     */
    public function resolveAuthenticatedUser($request)
    {
        $user = parent::resolveAuthenticatedUser($request);
        if (!$user) {
            return null;
        }

        return $this->refusing(fn (): array => ($this->authorizer)()->user(self::text($request, 'socket_id'), (array) $user));
    }

    /**
     * Answers POST /broadcasting/auth.
     *
     * @param Request $request
     *
     * @throws AccessDeniedHttpException
     */
    public function auth($request)
    {
        $name = self::text($request, 'channel_name');
        $channel = $this->normalizeChannelName($name);
        if ($name === '' || ($this->isGuardedChannel($name) && !$this->retrieveUser($request, $channel))) {
            throw new AccessDeniedHttpException();
        }

        return $this->verifyUserCanAccessChannel($request, $channel);
    }

    /**
     * @param Request $request
     * @param mixed   $result what the channel's callback has returned: of a presence channel, what others are told of the user
     *
     * @return array<string, string>|JsonResponse
     */
    public function validAuthenticationResponse($request, $result)
    {
        $answer = $this->refusing(fn (): array => $this->answer($request, $result));
        $callback = $this->jsonp ? self::text($request, 'callback') : '';

        return $callback === '' ? $answer : (new JsonResponse($answer))->withCallback($callback);
    }

    /**
     * @param array<int, mixed>    $channels
     * @param string               $event
     * @param array<string, mixed> $payload
     *
     * @throws BroadcastException
     */
    public function broadcast(array $channels, $event, array $payload = [])
    {
        $socket = Arr::pull($payload, 'socket');
        try {
            ($this->publisher)()->publish($this->formatChannels(array_values($channels)), $event, $payload, self::socketId($socket));
        } catch (PublishException|ConfigurationException|RefusedException $error) {
            throw new BroadcastException($error->getMessage(), 0, $error);
        }
    }

    /** @return array<string, string> */
    private function answer(Request $request, mixed $result): array
    {
        [$name, $socketId] = [self::text($request, 'channel_name'), self::text($request, 'socket_id')];
        if (!str_starts_with($name, 'presence-')) {
            return ($this->authorizer)()->privateChannel($socketId, $name);
        }
        $user = $this->retrieveUser($request, $this->normalizeChannelName($name));
        $id = method_exists($user, 'getAuthIdentifierForBroadcasting') ? $user->getAuthIdentifierForBroadcasting() : $user->getAuthIdentifier();

        return ($this->authorizer)()->presenceChannel($socketId, $name, (string) $id, $result);
    }

    /**
     * What can never be right comes from a client that is no browser of ours: it gets 403, as everyone who may not.
     *
     * @template T
     *
     * @param \Closure(): T $make
     *
     * @return T
     */
    private function refusing(\Closure $make): mixed
    {
        try {
            return $make();
        } catch (RefusedException $error) {
            throw new AccessDeniedHttpException($error->getMessage(), $error);
        }
    }

    private static function text(Request $request, string $field): string
    {
        $value = $request->input($field);

        return is_string($value) ? $value : '';
    }

    /**
     * The header X-Socket-ID is the client's. One that is no socket id, such as "undefined" before Echo has connected, leaves nobody out.
     *
     * @internal the facade uses it, too
     */
    public static function socketId(mixed $socket): ?string
    {
        try {
            is_string($socket) && Signer::checkSocketId($socket);
        } catch (RefusedException) {
            return null;
        }

        return is_string($socket) ? $socket : null;
    }
}
