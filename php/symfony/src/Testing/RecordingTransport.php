<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Testing;

use FrankenPHP\WebSocket\Pusher\Message;
use FrankenPHP\WebSocket\Pusher\Transport;

/** Remembers what would have been published, where the configuration says `record: true`. */
final class RecordingTransport implements Transport
{
    /** @var \WeakMap<object, list<Message>>|null by kernel: between two requests of a test it has another container */
    private static ?\WeakMap $messages = null;

    public function __construct(private readonly object $kernel)
    {
        self::$messages ??= new \WeakMap();
    }

    public function publish(Message $message): void
    {
        self::$messages[$this->kernel] = [...$this->messages(), $message];
    }

    public function name(): string
    {
        return 'nowhere: this is a test';
    }

    /** @return list<Message> since the kernel was made */
    public function messages(): array
    {
        return self::$messages[$this->kernel] ?? [];
    }
}
