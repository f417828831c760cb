<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** A message was not published, or it is not certain that it was. */
final class PublishException extends \RuntimeException
{
}
