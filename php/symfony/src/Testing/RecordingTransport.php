<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Testing;

use FrankenPHP\WebSocket\Pusher\Message;
use FrankenPHP\WebSocket\Pusher\Transport;

/** Remembers what would have been published, where the configuration says `record: true`. */
final class RecordingTransport implements Transport
{
    /** @var list<Message> */
    private array $messages = [];

    public function publish(Message $message): void
    {
        $this->messages[] = $message;
    }

    public function name(): string
    {
        return 'nowhere: this is a test';
    }

    /** @return list<Message> */
    public function messages(): array
    {
        return $this->messages;
    }
}
