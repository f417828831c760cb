<?php

declare(strict_types=1);

namespace Board;

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
        return ['ROLE_USER'];
    }

    public function eraseCredentials(): void
    {
    }

    public function getUserIdentifier(): string
    {
        return $this->name;
    }

    public function getPassword(): string
    {
        return $this->name;
    }

    public function getWebSocketInfo(): array
    {
        return ['name' => ucfirst($this->name)];
    }
}
