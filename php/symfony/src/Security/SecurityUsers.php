<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Security;

use FrankenPHP\WebSocket\Client;
use Symfony\Component\Security\Core\Exception\UserNotFoundException;
use Symfony\Component\Security\Core\User\UserInterface;
use Symfony\Component\Security\Core\User\UserProviderInterface;

/** The security user whose connection it is, for handlers. */
final class SecurityUsers
{
    /** @param UserProviderInterface<UserInterface> $users */
    public function __construct(private readonly UserProviderInterface $users)
    {
    }

    /** Asks the application's user provider. Null: the connection is nobody's, or the user is there no more. */
    public function of(Client $client): ?UserInterface
    {
        $identifier = $client->user();
        try {
            return $identifier === null ? null : $this->users->loadUserByIdentifier($identifier);
        } catch (UserNotFoundException) {
            return null;
        }
    }

    /** @internal what others are told of a user */
    public static function info(UserInterface $user): ?string
    {
        return $user instanceof WebSocketUserInterface ? json_encode($user->getWebSocketInfo(), JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES) : null;
    }
}
