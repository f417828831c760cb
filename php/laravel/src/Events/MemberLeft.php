<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Events;

use FrankenPHP\WebSocket\Member;

/** A user's last connection has left a channel with presence. */
final class MemberLeft
{
    public function __construct(public readonly Member $member)
    {
    }
}
