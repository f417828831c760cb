<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

use FrankenPHP\WebSocket\HttpClient;

/** By the HTTP API: from other machines, and from a PHP that is not that of the frankenphp binary. */
final class HttpTransport implements Transport
{
    private readonly string $base;

    /**
     * @param string               $url where the site is: https://example.com, or https://example.com/ws where the Caddyfile has `handle_path /ws/*`
     * @param \Closure(): int|null $clock seconds since 1970; null: the machine's
     *
     * @throws ConfigurationException when the URL is none
     */
    public function __construct(private readonly App $app, string $url, private readonly HttpClient $http, private readonly ?\Closure $clock = null)
    {
        if (preg_match('#\Ahttps?://[^/?\#\s]+(/[^?\#\s]*)?\z#', $url) !== 1) {
            throw new ConfigurationException("the URL of the HTTP API must be as https://example.com, not \"" . self::withoutSecrets($url) . '"');
        }
        $this->base = rtrim($url, '/');
    }

    public function publish(Message $message): void
    {
        foreach (array_chunk($message->channels, Message::MAX_CHANNELS) as $channels) {
            $this->call('events', [
                'name' => $message->event,
                'channels' => $channels,
                'data' => $message->data,
            ] + ($message->exceptSocketId === null ? [] : ['socket_id' => $message->exceptSocketId]));
        }
    }

    public function name(): string
    {
        return 'the HTTP API at ' . self::withoutSecrets($this->base);
    }

    /** @param array<string, mixed> $fields */
    private function call(string $what, array $fields): void
    {
        try {
            $body = json_encode($fields, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
        } catch (\JsonException $error) {
            throw new PublishException("\"{$fields['name']}\" was not published: it cannot be written as JSON: {$error->getMessage()}", 0, $error, true);
        }
        // The site may be behind a path of its own, which is not signed: the server does not see it.
        $path = "/apps/{$this->app->id}/$what";
        $url = "$this->base$path?" . (new Signer($this->app))->query('POST', $path, $body, $this->clock === null ? time() : ($this->clock)());
        try {
            [$status, $answer] = $this->http->request('POST', $url, ['Content-Type' => 'application/json'], $body);
        } catch (\Throwable $error) {
            // Without the error as the one before: it has the signature.
            throw new PublishException("\"{$fields['name']}\" was not published: {$this->name()} did not answer: " . rtrim(self::withoutSecrets($error->getMessage()), '.'));
        }
        if ($status !== 200) {
            throw new PublishException("\"{$fields['name']}\" was not published: {$this->name()} answered $status" . self::hint($status) . ': ' . self::excerpt($answer), $status, null, in_array($status, [400, 413], true));
        }
    }

    private static function hint(int $status): string
    {
        return match ($status) {
            301, 302, 307, 308 => ' (the answer leads to another address, and a signed call is not sent there: is the URL to begin with https?)',
            401, 403 => ' (is the secret that of the Caddyfile, and is the clock of this machine right?)',
            404 => ' (does the Caddyfile have a pusher route for /apps/*, with this application\'s id?)',
            413 => ' (the data is larger than the server allows)',
            default => '',
        };
    }

    private static function excerpt(string $answer): string
    {
        return trim(mb_strcut(mb_scrub($answer, 'UTF-8'), 0, 300, 'UTF-8'));
    }

    /** Clients name the whole URL in their messages, and messages go to logs. It may have a name and a password. */
    private static function withoutSecrets(string $text): string
    {
        return (string) preg_replace(['/auth_signature=\w+/', '#(?<=://)[^/?\#\s]*@#'], ['auth_signature=…', '…@'], $text);
    }
}
