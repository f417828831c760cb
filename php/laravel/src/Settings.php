<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use FrankenPHP\WebSocket\Laravel\Testing\PublisherFake;
use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Pusher\Encryption;
use FrankenPHP\WebSocket\Pusher\HttpTransport;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Pusher\Way;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Http\Client\Factory as Http;

/**
 * What config/frankenphp-ws.php says, and a connection of config/broadcasting.php instead of it. A connection that was written for Reverb or
 * Pusher is understood as it is: only its driver is another.
 */
final class Settings
{
    public function __construct(private readonly Application $app)
    {
    }

    /** @param array<string, mixed> $connection */
    public function publisher(array $connection = []): Publisher
    {
        if ($this->app->resolved(Publisher::class) && ($fake = $this->app->make(Publisher::class)) instanceof PublisherFake) {
            return $fake;
        }
        $settings = $this->of($connection);

        return new Publisher(
            fn () => Way::of((string) ($settings['way'] ?? 'auto'))->transport(self::application($settings), $this->http($settings)),
            self::encryption($settings),
        );
    }

    /** @param array<string, mixed> $connection */
    public function authorizer(array $connection = []): Authorizer
    {
        $settings = $this->of($connection);

        return new Authorizer(self::application($settings), self::encryption($settings));
    }

    /**
     * @param array<string, mixed> $connection
     *
     * @return array<string, mixed>
     */
    private function of(array $connection): array
    {
        $options = $connection['options'] ?? [];
        $set = array_filter([
            ...$connection,
            'encryption_master_key' => $connection['encryption_master_key'] ?? $options['encryption_master_key_base64'] ?? null,
            'url' => $connection['url'] ?? self::urlOf($options),
        ], static fn (mixed $value): bool => $value !== null);

        return [...(array) $this->app->make('config')->get('frankenphp-ws', []), ...$set];
    }

    /** @param array<string, mixed> $options of a connection for Reverb or Pusher */
    private static function urlOf(array $options): ?string
    {
        $host = (string) ($options['host'] ?? '');
        // Laravel's own configuration for Pusher names Pusher's servers where no host is set: what is published here never goes there.
        if ($host === '' || preg_match('/\.pusher(?:app)?\.com\z/i', $host) === 1) {
            return null;
        }
        // A variable that .env has without a value is empty, and not missing.
        $scheme = ($options['scheme'] ?? '') ?: (($options['useTLS'] ?? true) ? 'https' : 'http');
        $port = (string) ($options['port'] ?? '');

        return "$scheme://$host" . ($port === '' ? '' : ":$port") . ($options['path'] ?? '');
    }

    /** @param array<string, mixed> $settings */
    private static function application(array $settings): App
    {
        return new App((string) ($settings['app_id'] ?? ''), (string) ($settings['key'] ?? ''), (string) ($settings['secret'] ?? ''));
    }

    /** @param array<string, mixed> $settings */
    private static function encryption(array $settings): ?Encryption
    {
        $key = (string) ($settings['encryption_master_key'] ?? '');

        return $key === '' ? null : new Encryption($key);
    }

    /**
     * Only made where it is needed: an address that is none does no harm in the server's own process.
     *
     * @param array<string, mixed> $settings
     *
     * @return (\Closure(): HttpTransport)|null null: no URL is configured
     */
    private function http(array $settings): ?\Closure
    {
        $url = (string) ($settings['url'] ?? '');

        return $url === '' ? null : fn (): HttpTransport => new HttpTransport(
            self::application($settings),
            $url,
            new LaravelHttpClient($this->app->make(Http::class), (float) ($settings['timeout'] ?? 5)),
        );
    }
}
