<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Messenger;

use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\PublishException;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Pusher\RefusedException;
use Symfony\Component\Messenger\Exception\UnrecoverableMessageHandlingException;

/** Publishes what Publish says. What can never be right is not tried again. */
final class PublishHandler
{
    public function __construct(private readonly Publisher $publisher)
    {
    }

    public function __invoke(Publish $message): void
    {
        try {
            $this->publisher->publish($message->channels, $message->event, $message->data, $message->except);
        } catch (RefusedException|ConfigurationException $error) {
            throw new UnrecoverableMessageHandlingException($error->getMessage(), 0, $error);
        } catch (PublishException $error) {
            throw $error->isFinal ? new UnrecoverableMessageHandlingException($error->getMessage(), $error->getCode(), $error) : $error;
        }
    }
}
