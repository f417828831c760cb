<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Controller;

use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Pusher\RefusedException;
use FrankenPHP\WebSocket\Pusher\Signer;
use FrankenPHP\WebSocket\Symfony\Security\Channel;
use FrankenPHP\WebSocket\Symfony\Security\CurrentUser;
use FrankenPHP\WebSocket\Symfony\Security\WebSocketUserInterface;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Security\Core\Authorization\AuthorizationCheckerInterface;
use Symfony\Component\Security\Core\User\UserInterface;

/** Answers pusher-js: whether the user may subscribe to a private or presence channel, and who the user is. */
final class PusherController
{
    public function __construct(
        private readonly Authorizer $authorizer,
        private readonly CurrentUser $current,
        private readonly AuthorizationCheckerInterface $checker,
    ) {
    }

    /** Voters decide about Channel::SUBSCRIBE. Where none does, nobody may. */
    public function channel(Request $request): Response
    {
        $channel = new Channel(self::text($request, 'channel_name'));
        $socketId = self::text($request, 'socket_id');
        $user = $this->current->get();
        if ($user === null || !self::isPossible($channel, $socketId) || !$this->checker->isGranted(Channel::SUBSCRIBE, $channel)) {
            return self::forbidden();
        }

        return self::answering(fn (): array => $channel->isPresence()
            ? $this->authorizer->presenceChannel($socketId, $channel->name, $user->getUserIdentifier(), self::info($user))
            : $this->authorizer->privateChannel($socketId, $channel->name));
    }

    public function user(Request $request): Response
    {
        $user = $this->current->get();
        $info = $user === null ? null : self::info($user);

        return $user === null ? self::forbidden() : self::answering(fn (): array => $this->authorizer->user(
            self::text($request, 'socket_id'),
            ['id' => $user->getUserIdentifier()] + ($info === null ? [] : ['user_info' => $info]),
        ));
    }

    /** Voters are asked about channels that there may be, and no others need a signature. */
    private static function isPossible(Channel $channel, string $socketId): bool
    {
        try {
            Signer::checkChannel($channel->name);
            Signer::checkSocketId($socketId);
        } catch (RefusedException) {
            return false;
        }

        return $channel->isPresence() || str_starts_with($channel->name, 'private-');
    }

    /** @return array<string, mixed>|null */
    private static function info(UserInterface $user): ?array
    {
        return $user instanceof WebSocketUserInterface ? $user->getWebSocketInfo() : null;
    }

    /** @param \Closure(): array<string, string> $make */
    private static function answering(\Closure $make): Response
    {
        try {
            return new JsonResponse($make());
        } catch (RefusedException) {
            return self::forbidden();
        }
    }

    private static function forbidden(): Response
    {
        return new JsonResponse(['message' => 'Forbidden'], 403);
    }

    private static function text(Request $request, string $field): string
    {
        $value = $request->request->all()[$field] ?? '';

        return is_string($value) ? $value : '';
    }
}
