<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** Channels private-encrypted-…: only subscribers can read what is published, and the server cannot. */
final class Encryption
{
    private const PREFIX = 'private-encrypted-';

    private readonly string $master;

    /** @throws ConfigurationException when the key is not 32 bytes in base64 */
    public function __construct(#[\SensitiveParameter] string $masterKey)
    {
        $master = base64_decode($masterKey, true);
        if ($master === false || strlen($master) !== 32) {
            throw new ConfigurationException('the master key of encrypted channels must be 32 bytes in base64, as `openssl rand -base64 32` makes');
        }
        $this->master = $master;
    }

    public static function isFor(string $channel): bool
    {
        return str_starts_with($channel, self::PREFIX);
    }

    /** What subscribers of the channel are told, in base64. */
    public function sharedSecret(string $channel): string
    {
        return base64_encode($this->key($channel));
    }

    /** @throws ConfigurationException when PHP has no sodium */
    public function encrypt(string $channel, string $data): string
    {
        if (!\function_exists('sodium_crypto_secretbox')) {
            throw new ConfigurationException("\"$channel\" is an encrypted channel, and to publish to it PHP needs the extension sodium, which is not there");
        }
        $nonce = random_bytes(SODIUM_CRYPTO_SECRETBOX_NONCEBYTES);

        return json_encode([
            'nonce' => base64_encode($nonce),
            'ciphertext' => base64_encode(sodium_crypto_secretbox($data, $nonce, $this->key($channel))),
        ], JSON_THROW_ON_ERROR);
    }

    private function key(string $channel): string
    {
        return hash('sha256', $channel . $this->master, true);
    }
}
