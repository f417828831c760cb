<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * What is stored about one client: up to 256 strings by key, 4 MiB together, which all PHP threads see and which go with the client,
 * when its close event has been handled.
 *
 * When the client is gone, nothing is stored about it: has(), set(), delete() and clear() return false, get() its default.
 */
final class Information
{
    /** @internal Client::information() makes it */
    public function __construct(private readonly Client $client)
    {
    }

    /**
     * @param string $key   1 to 255 bytes of UTF-8
     * @param string $value any bytes
     *
     * @return bool false when the client is gone
     *
     * @throws InvalidArgumentException when the key is not allowed
     * @throws Exception                when the client has as much as it may
     */
    public function set(string $key, string $value): bool
    {
        return \frankenphp_ws_setStoredInformation($this->client->id, $key, $value);
    }

    /**
     * @param string|null $default returned when nothing is stored under the key
     *
     * @return ($default is null ? string|null : string)
     */
    public function get(string $key, ?string $default = null): ?string
    {
        $value = \frankenphp_ws_getStoredInformation($this->client->id, $key);

        // The function returns "" for nothing, too.
        return $value !== '' || $this->has($key) ? $value : $default;
    }

    public function has(string $key): bool
    {
        return \frankenphp_ws_hasStoredInformation($this->client->id, $key);
    }

    /** @return bool whether there was something */
    public function delete(string $key): bool
    {
        return \frankenphp_ws_deleteStoredInformation($this->client->id, $key);
    }

    /**
     * Deletes all that is stored about the client.
     *
     * @return bool false when the client is gone
     */
    public function clear(): bool
    {
        return \frankenphp_ws_clearStoredInformation($this->client->id);
    }

    /** @return array<array-key, string> by key, sorted; a key that is a decimal integer is an int, as in every PHP array */
    public function all(): array
    {
        return \frankenphp_ws_getAllStoredInformation($this->client->id);
    }
}
