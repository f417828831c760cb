<?php

declare(strict_types=1);

/* The exceptions of the extension, for a PHP that does not have it. */

namespace FrankenPHP\WebSocket;

class Exception extends \RuntimeException
{
}

class InvalidArgumentException extends Exception
{
}

class UnknownRouteException extends InvalidArgumentException
{
}

class NotRunningException extends Exception
{
}

class OutsideEventLoopException extends Exception
{
}

class SearchTimeoutException extends Exception
{
}

class ControlException extends Exception
{
}

/** Other servers of the cluster are needed, and could not be asked. The fake server is alone and never throws it. */
class ClusterException extends Exception
{
}
