<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/**
 * Signatures of the Pusher protocol: what an application answers to a client that wants to subscribe or to sign in, and what it puts on its
 * calls of the HTTP API.
 */
final class Signer
{
    public function __construct(private readonly App $app)
    {
    }

    /**
     * Lets one connection subscribe to one private or presence channel.
     *
     * @param string|null $channelData the member, in JSON, of a presence channel
     *
     * @throws RefusedException when the socket id or the channel is none
     */
    public function channel(string $socketId, string $channel, ?string $channelData = null): string
    {
        self::checkSocketId($socketId);
        self::checkChannel($channel);

        return $this->withKey("$socketId:$channel" . ($channelData === null ? '' : ":$channelData"));
    }

    /**
     * Signs one connection in as a user.
     *
     * @param string $userData the user, in JSON, with an `id`
     *
     * @throws RefusedException when the socket id is none
     */
    public function user(string $socketId, string $userData): string
    {
        self::checkSocketId($socketId);

        return $this->withKey("$socketId::user::$userData");
    }

    /** The query of a call of the HTTP API: it is good for this method, path and body, for ten minutes around $now. */
    public function query(string $method, string $path, string $body, int $now): string
    {
        $signed = "auth_key={$this->app->key}&auth_timestamp=$now&auth_version=1.0" . ($body === '' ? '' : '&body_md5=' . md5($body));

        return "$signed&auth_signature=" . $this->sign("$method\n$path\n$signed");
    }

    /** @throws RefusedException when it is none */
    public static function checkSocketId(string $socketId): void
    {
        if (preg_match('/\A\d+\.\d+\z/', $socketId) !== 1) {
            throw new RefusedException('a socket id is digits, a dot and digits, not ' . self::shown($socketId));
        }
    }

    /** @throws RefusedException when no channel may have the name */
    public static function checkChannel(string $channel): void
    {
        if (preg_match('/\A#?[\w=@,.;-]{1,200}\z/', $channel) !== 1) {
            throw new RefusedException('a channel has a name of 1 to 200 letters, digits and characters of "_-=@,.;", not ' . self::shown($channel));
        }
    }

    private function withKey(string $text): string
    {
        return "{$this->app->key}:" . $this->sign($text);
    }

    private function sign(string $text): string
    {
        return hash_hmac('sha256', $text, $this->app->secret);
    }

    private static function shown(string $value): string
    {
        return json_encode(substr($value, 0, 250), JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
    }
}
