<?php

declare(strict_types=1);

namespace Tests\Symfony;

use Symfony\Component\Security\Core\Exception\UserNotFoundException;
use Symfony\Component\Security\Core\User\UserInterface;
use Symfony\Component\Security\Core\User\UserProviderInterface;

/** @implements UserProviderInterface<Person> */
final class People implements UserProviderInterface
{
    public function loadUserByIdentifier(string $identifier): UserInterface
    {
        return in_array($identifier, ['ann', 'bob'], true) ? new Person($identifier) : throw new UserNotFoundException();
    }

    public function refreshUser(UserInterface $user): UserInterface
    {
        return $user;
    }

    public function supportsClass(string $class): bool
    {
        return $class === Person::class;
    }
}
