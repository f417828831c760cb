<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Symfony\Security\WebSocketUserInterface;
use Symfony\Component\Security\Core\User\PasswordAuthenticatedUserInterface;
use Symfony\Component\Security\Core\User\UserInterface;

final class Person implements PasswordAuthenticatedUserInterface, UserInterface, WebSocketUserInterface
{
    public function __construct(private readonly string $name)
    {
    }

    public function getRoles(): array
    {
        return $this->name === 'bob' ? ['ROLE_ADMIN'] : ['ROLE_USER'];
    }

    public function eraseCredentials(): void
    {
    }

    public function getPassword(): string
    {
        return 'secret';
    }

    public function getUserIdentifier(): string
    {
        return $this->name;
    }

    public function getWebSocketInfo(): array
    {
        return ['name' => ucfirst($this->name) . 'é'];
    }
}
