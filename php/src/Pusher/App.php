<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** An application of the Pusher protocol, as the line `app ID KEY SECRET` of the Caddyfile names it. */
final class App
{
    /**
     * @param string $id     names the application in the HTTP API
     * @param string $key    names it to clients; it is public
     * @param string $secret signs; only the server and the application know it
     *
     * @throws ConfigurationException when one of them is empty or has a character that it may not have
     */
    public function __construct(public readonly string $id, public readonly string $key, #[\SensitiveParameter] public readonly string $secret)
    {
        foreach (['id' => $id, 'key' => $key] as $what => $value) {
            if (preg_match('/\A[\w.~-]+\z/', $value) !== 1) {
                throw new ConfigurationException("the $what of the Pusher application must be letters, digits, \"-\", \"_\", \".\" and \"~\", " . self::shown($value) . ': set it to that of the line `app` in the Caddyfile');
            }
        }
        if ($secret === '') {
            throw new ConfigurationException('the secret of the Pusher application is empty: set it to that of the line `app` in the Caddyfile');
        }
    }

    /** Never the secret. */
    public function __debugInfo(): array
    {
        return ['id' => $this->id, 'key' => $this->key, 'secret' => '…'];
    }

    private static function shown(string $value): string
    {
        return $value === '' ? 'and it is empty' : 'not ' . json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
    }
}
