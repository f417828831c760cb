<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Symfony\Security\Channel;
use Symfony\Component\Security\Core\Authentication\Token\TokenInterface;
use Symfony\Component\Security\Core\Authorization\Voter\Voter;

/** @extends Voter<string, Channel> */
final class OrdersVoter extends Voter
{
    protected function supports(string $attribute, mixed $subject): bool
    {
        return $attribute === Channel::SUBSCRIBE && $subject instanceof Channel;
    }

    protected function voteOnAttribute(string $attribute, mixed $subject, TokenInterface $token): bool
    {
        return in_array($subject->name, ['private-orders.7', 'presence-room'], true) && $token->getUserIdentifier() === 'ann';
    }
}
