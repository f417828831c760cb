<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** A value that comes from a client can never be right, so nothing is signed for it. */
final class RefusedException extends \InvalidArgumentException
{
}
