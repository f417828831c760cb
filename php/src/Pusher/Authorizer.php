<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** The answers that let a client subscribe, or sign in, as pusher-js and Laravel Echo expect them. */
final class Authorizer
{
    private readonly Signer $signer;

    public function __construct(private readonly App $app, private readonly ?Encryption $encryption = null)
    {
        $this->signer = new Signer($app);
    }

    /**
     * @return array{auth: string, shared_secret?: string}
     *
     * @throws RefusedException       when the socket id or the channel is none
     * @throws ConfigurationException when the channel is encrypted and no master key is configured
     */
    public function privateChannel(string $socketId, string $channel): array
    {
        if (!Encryption::isFor($channel)) {
            return ['auth' => $this->signer->channel($socketId, $channel)];
        }
        $encryption = $this->encryption ?? throw new ConfigurationException("\"$channel\" is an encrypted channel, and no master key is configured");

        return ['auth' => $this->signer->channel($socketId, $channel), 'shared_secret' => $encryption->sharedSecret($channel)];
    }

    /**
     * @param mixed $info what the others in the channel are told of the user, in JSON
     *
     * @return array{auth: string, channel_data: string}
     *
     * @throws RefusedException when the socket id or the channel is none
     */
    public function presenceChannel(string $socketId, string $channel, string|int $userId, mixed $info = null): array
    {
        $data = self::json(['user_id' => (string) $userId] + ($info === null ? [] : ['user_info' => $info]));

        return ['auth' => $this->signer->channel($socketId, $channel, $data), 'channel_data' => $data];
    }

    /**
     * @param array<string, mixed> $user has an `id`
     *
     * @return array{auth: string, user_data: string}
     *
     * @throws RefusedException when the socket id is none, or the user has no id
     */
    public function user(string $socketId, array $user): array
    {
        if (!is_scalar($user['id'] ?? null) || (string) $user['id'] === '') {
            throw new RefusedException('a user who signs in needs an "id"');
        }
        $data = self::json(['id' => (string) $user['id']] + $user);

        return ['auth' => $this->signer->user($socketId, $data), 'user_data' => $data];
    }

    private static function json(mixed $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
    }
}
