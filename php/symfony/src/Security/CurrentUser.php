<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Security;

use Symfony\Component\Security\Core\Authentication\AuthenticationTrustResolverInterface;
use Symfony\Component\Security\Core\Authentication\Token\Storage\TokenStorageInterface;
use Symfony\Component\Security\Core\User\UserInterface;

/**
 * Who is logged in.
 *
 * @internal
 */
final class CurrentUser
{
    public function __construct(private readonly TokenStorageInterface $tokens, private readonly AuthenticationTrustResolverInterface $trust)
    {
    }

    /** Null: nobody, or one whose login is not complete, as of those who have still to enter a second factor: their token has a user already. */
    public function get(): ?UserInterface
    {
        $token = $this->tokens->getToken();

        return $this->trust->isFullFledged($token) || $this->trust->isRememberMe($token) ? $token?->getUser() : null;
    }
}
