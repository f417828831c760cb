<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Member;

/** A user's first connection has come into a channel with presence. */
final class MemberJoined
{
    public function __construct(public readonly Member $member)
    {
    }
}
