<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Application;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Symfony\Attribute\AsWebSocketHandler;
use FrankenPHP\WebSocket\Symfony\HandlerDefaults;
use Symfony\Component\Security\Core\Authentication\Token\Storage\TokenStorageInterface;
use Symfony\Component\Security\Core\Authentication\Token\UsernamePasswordToken;
use Symfony\Contracts\Translation\TranslatorInterface;

/** Says which locale there is and who is logged in, and changes both. */
#[AsWebSocketHandler]
final class Traveller implements Application
{
    use HandlerDefaults;

    public function __construct(private readonly TranslatorInterface $translator, private readonly TokenStorageInterface $tokens)
    {
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $connection->send("{$this->translator->getLocale()} " . \Locale::getDefault() . ' ' . ($this->tokens->getToken()?->getUserIdentifier() ?? 'nobody'));
        $this->translator->setLocale($data);
        \Locale::setDefault($data);
        $this->tokens->setToken(new UsernamePasswordToken(new Person('ann'), 'main'));
    }
}
