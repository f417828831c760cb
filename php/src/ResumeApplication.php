<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * An application that wants to know when the network of a client is away, on routes with `resume`: docs/resume.md.
 *
 * Without it an application sees nothing of such breaks. The client is connected all the time to all functions, and what it is sent is kept
 * for it. It is closed, with 1006, when it does not come back in time.
 */
interface ResumeApplication extends Application
{
    /** The connection broke, and the client is waited for. */
    public function onSuspend(Connection $connection): void;

    /**
     * The client is back, and gets what it missed. $connection knows the query, headers, cookies and address of its new request; its id,
     * tags, user and stored information are as before.
     */
    public function onResume(Connection $connection): void;
}
