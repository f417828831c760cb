<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** What is configured cannot work. The message says what would. */
final class ConfigurationException extends \LogicException
{
}
