<?php

/**
 * The exceptions that frankenphp_ws_*() throw. Written by hand: the generator makes classes that wrap a Go object, and no others.
 * generate.sh makes exceptions_arginfo.h of this file.
 */

namespace FrankenPHP\WebSocket {
    /**
     * What every exception of the extension is. Its code is the result of the core (fws_result in fws.h), for reports of errors.
     * Thrown itself only for what no caller can mend: a failure inside the core.
     */
    class Exception extends \RuntimeException
    {
    }

    /** An argument that can never be right: the message says which, why, and what would be. */
    class InvalidArgumentException extends Exception
    {
    }

    /** No route has the name that was given: the message says which there are. */
    class UnknownRouteException extends InvalidArgumentException
    {
    }

    /** The WebSocket core does not run in this process: no `websocket` in the Caddyfile, or a forked child. */
    class NotRunningException extends Exception
    {
    }

    /** nextEvent() or failEvent() was called outside the loop of a worker that handles events, or before the first event. */
    class OutsideEventLoopException extends Exception
    {
    }

    /** A search took longer than the server's option search_timeout allows. Nothing was changed or sent. */
    class SearchTimeoutException extends Exception
    {
    }

    /**
     * On the command line: the server was not reached by its control socket, or the connection was lost. The message says which path was
     * tried and why. Only where it says that the connection was lost may the call have been carried out.
     */
    class ControlException extends Exception
    {
    }

    /**
     * Other servers of the cluster are needed, and could not be asked, or did not answer in time: docs/scaling.md. Only where the message says
     * so may the call have been carried out. What concerns this server only works meanwhile.
     */
    class ClusterException extends Exception
    {
    }
}
