<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Client;
use FrankenPHP\WebSocket\Clients;
use FrankenPHP\WebSocket\Connection;
use FrankenPHP\WebSocket\Timer;
use FrankenPHP\WebSocket\TimerApplication;

/** Tells everybody the time once a second, while there is anybody, and reminds: "5 Tea!" comes back as "Tea!" after five seconds. */
final class Clock implements TimerApplication
{
    private const TICK = 'tick';

    public function onOpen(Connection $c): void
    {
        $c->tag('clock');
        $this->start();
    }

    public function onMessage(Connection $c, string $data, bool $binary): void
    {
        if (preg_match('/^(\d{1,4}) (.{1,200})$/Dsu', $data, $match) !== 1) {
            $c->send('A number of seconds, a space and a text, please.');

            return;
        }
        Timer::after(max(1, 1000 * (int) $match[1]), json_encode(['to' => $c->id, 'text' => $match[2]], JSON_THROW_ON_ERROR));
    }

    public function onTimer(Timer $timer): void
    {
        if ($timer->payload !== self::TICK) {
            ['to' => $id, 'text' => $text] = json_decode($timer->payload, true, 2, JSON_THROW_ON_ERROR);
            // False if they have left meanwhile: then nobody is to be reminded.
            (new Client($id))->send($text);

            return;
        }
        if (Clients::tagged('clock')->send(date('H:i:s')) === 0) {
            $timer->cancel();
            // Whoever came between the two lines above found the clock running.
            if (count(Clients::tagged('clock')) > 0) {
                $this->start();
            }
        }
    }

    public function onClose(Connection $c, int $code, string $reason): void
    {
    }

    public function onError(Connection $c, Throwable $error): void
    {
    }

    /** There is one timer of this name, however often it is set. */
    private function start(): void
    {
        Timer::every(1000, self::TICK, name: 'clock');
    }
}
