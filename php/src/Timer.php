<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * A timer of a worker, which calls onTimer() of its application. The server keeps it, not PHP: it survives reloads and the end of
 * threads, and goes with its worker.
 */
final class Timer
{
    /**
     * @param int    $id      to cancel it by
     * @param string $payload what the application gave along
     */
    public function __construct(public readonly int $id, public readonly string $payload = '')
    {
    }

    /**
     * Goes off once.
     *
     * @param int         $milliseconds from now, 1 to 31622400000 (366 days)
     * @param string      $payload      any bytes, at most 1 MiB, for onTimer()
     * @param string|null $worker       name of the worker; null: the one whose event is being handled, or whose script this is
     * @param string|null $name         1 to 255 bytes: the worker has one timer of this name. Where it is set already, with the same
     *                                  time and payload, it goes on; else this one takes its place
     *
     * @throws InvalidArgumentException when the time, the payload, the worker or the name is not allowed, or no worker is named outside of one
     * @throws Exception                when there are as many timers as there may be
     */
    public static function after(int $milliseconds, string $payload = '', ?string $worker = null, ?string $name = null): self
    {
        return new self(\frankenphp_ws_setTimer($milliseconds, $payload, false, $worker, $name), $payload);
    }

    /**
     * Goes off again and again.
     *
     * @param int         $milliseconds between two times, 1 to 31622400000 (366 days)
     * @param string      $payload      any bytes, at most 1 MiB, for onTimer()
     * @param string|null $worker       name of the worker; null: the one whose event is being handled, or whose script this is
     * @param string|null $name         1 to 255 bytes: the worker has one timer of this name. Where it is set already, with the same
     *                                  time and payload, it goes on; else this one takes its place
     *
     * @throws InvalidArgumentException when the time, the payload, the worker or the name is not allowed, or no worker is named outside of one
     * @throws Exception                when there are as many timers as there may be
     */
    public static function every(int $milliseconds, string $payload = '', ?string $worker = null, ?string $name = null): self
    {
        return new self(\frankenphp_ws_setTimer($milliseconds, $payload, true, $worker, $name), $payload);
    }

    /** @return bool false when it is not set any more; one that is due already may still arrive */
    public function cancel(): bool
    {
        return \frankenphp_ws_clearTimer($this->id);
    }
}
