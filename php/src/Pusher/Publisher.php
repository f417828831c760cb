<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/**
 * Publishes events to the subscribers of channels.
 *
 *     $publisher->publish('private-orders.7', 'order.paid', ['id' => 7]);
 *     $publisher->publish(['news', 'private-news'], 'flash', 'Hello', except: $socketId);
 */
class Publisher
{
    /**
     * @param Transport|\Closure(): Transport $transport a function is called when the first message is published
     * @param Encryption|null                 $encryption of channels private-encrypted-…; null: nothing can be published to them
     */
    public function __construct(private Transport|\Closure $transport, private readonly ?Encryption $encryption = null)
    {
    }

    /**
     * @param string|list<string> $channels
     * @param mixed               $data   is sent as JSON
     * @param string|null         $except the socket id of the connection that is left out
     *
     * @throws PublishException       when the server was not reached, or did not take the event
     * @throws ConfigurationException when no way to the server is configured that works here
     * @throws RefusedException       when a channel or the socket id is none
     */
    public function publish(string|array $channels, string $event, mixed $data = [], ?string $except = null): void
    {
        $channels = array_values(array_unique((array) $channels));
        if ($channels === []) {
            return;
        }
        try {
            $json = json_encode($data, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION);
        } catch (\JsonException $error) {
            throw new PublishException("\"$event\" was not published: its data cannot be written as JSON: {$error->getMessage()}", 0, $error, true);
        }
        $this->send(new Message($channels, $event, $json, $except));
    }

    /** Which way messages go, for people. */
    public function way(): string
    {
        return $this->transport()->name();
    }

    /** @throws PublishException */
    protected function send(Message $message): void
    {
        // Each encrypted channel has a key of its own.
        $plain = [];
        foreach ($message->channels as $channel) {
            if (Encryption::isFor($channel)) {
                $this->transport()->publish($message->to([$channel], $this->encryption($channel)->encrypt($channel, $message->data)));
            } else {
                $plain[] = $channel;
            }
        }
        if ($plain !== []) {
            $this->transport()->publish($message->to($plain));
        }
    }

    private function encryption(string $channel): Encryption
    {
        return $this->encryption ?? throw new ConfigurationException("\"$channel\" is an encrypted channel, and no master key is configured");
    }

    private function transport(): Transport
    {
        return $this->transport instanceof Transport ? $this->transport : $this->transport = ($this->transport)();
    }
}
