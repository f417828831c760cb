<?php

declare(strict_types=1);

namespace Board;

use FrankenPHP\WebSocket\Symfony\Security\Channel;
use Symfony\Component\Security\Core\Authentication\Token\TokenInterface;
use Symfony\Component\Security\Core\Authorization\Voter\Voter;

/**
 * Each user has a private channel: private-user.ann.
 *
 * @extends Voter<string, Channel>
 */
final class ChannelVoter extends Voter
{
    protected function supports(string $attribute, mixed $subject): bool
    {
        return $attribute === Channel::SUBSCRIBE && $subject instanceof Channel && str_starts_with($subject->name, 'private-user.');
    }

    protected function voteOnAttribute(string $attribute, mixed $subject, TokenInterface $token): bool
    {
        return $subject->name === "private-user.{$token->getUserIdentifier()}";
    }
}
