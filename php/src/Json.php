<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * Values as JSON texts. What cannot be encoded throws: json_encode() alone returns false, of which send() makes an empty message.
 *
 * @internal Client::sendJson() and Clients::sendJson() use it
 */
final class Json
{
    /** @throws \JsonException when $value cannot be encoded: text that is not UTF-8, NAN, a resource, more than 512 levels */
    public static function encode(mixed $value, int $flags): string
    {
        try {
            return json_encode($value, $flags & ~JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
        } catch (\JsonException $error) {
            throw Caller::blame($error);
        }
    }
}
