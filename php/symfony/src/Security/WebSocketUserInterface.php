<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Security;

/** A user of the application of whom channels with presence tell more than the identifier. */
interface WebSocketUserInterface
{
    /** @return array<string, mixed> what others in a channel are told, as JSON */
    public function getWebSocketInfo(): array;
}
