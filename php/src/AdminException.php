<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** The admin endpoint did not answer, or refused. The code is the HTTP status of its answer, 0 without one. */
final class AdminException extends \RuntimeException
{
}
