<?php

declare(strict_types=1);

namespace Board;

use Symfony\Component\Security\Core\Exception\UserNotFoundException;
use Symfony\Component\Security\Core\User\UserInterface;
use Symfony\Component\Security\Core\User\UserProviderInterface;

/**
 * Two people, whose passwords are their names.
 *
 * @implements UserProviderInterface<Person>
 */
final class People implements UserProviderInterface
{
    public const NAMES = ['ann', 'bob'];

    public function loadUserByIdentifier(string $identifier): UserInterface
    {
        return in_array($identifier, self::NAMES, true) ? new Person($identifier) : throw new UserNotFoundException();
    }

    public function refreshUser(UserInterface $user): UserInterface
    {
        return $this->loadUserByIdentifier($user->getUserIdentifier());
    }

    public function supportsClass(string $class): bool
    {
        return $class === Person::class;
    }
}
