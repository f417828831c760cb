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
     * @param int         $milliseconds from now
     * @param string      $payload      any bytes, for onTimer()
     * @param string|null $worker       name of the worker; null: the current one, which only a worker's code has
     *
     * @throws Exception when the time or the worker is not allowed
     */
    public static function after(int $milliseconds, string $payload = '', ?string $worker = null): self
    {
        return new self(\frankenphp_ws_setTimer($milliseconds, $payload, false, $worker), $payload);
    }

    /**
     * Goes off again and again.
     *
     * @param int         $milliseconds between two times
     * @param string      $payload      any bytes, for onTimer()
     * @param string|null $worker       name of the worker; null: the current one, which only a worker's code has
     *
     * @throws Exception when the time or the worker is not allowed
     */
    public static function every(int $milliseconds, string $payload = '', ?string $worker = null): self
    {
        return new self(\frankenphp_ws_setTimer($milliseconds, $payload, true, $worker), $payload);
    }

    /** @return bool false when there is no such timer any more */
    public function cancel(): bool
    {
        return \frankenphp_ws_clearTimer($this->id);
    }
}
