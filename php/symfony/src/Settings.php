<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\HttpClient;
use FrankenPHP\WebSocket\Pusher\App;
use FrankenPHP\WebSocket\Pusher\Authorizer;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Pusher\Encryption;
use FrankenPHP\WebSocket\Pusher\HttpTransport;
use FrankenPHP\WebSocket\Pusher\Publisher;
use FrankenPHP\WebSocket\Pusher\Transport;
use FrankenPHP\WebSocket\Pusher\Way;
use Symfony\Contracts\HttpClient\HttpClientInterface;

/**
 * What config/packages/frankenphp_ws.yaml says.
 *
 * @internal
 */
final class Settings
{
    /** @param array{app: array{id: string, key: string, secret: string}, way: string, url: string|null, timeout: float, encryption_master_key: string|null, admin: string} $config */
    public function __construct(private readonly array $config, private readonly ?HttpClientInterface $http = null)
    {
    }

    public function publisher(?Transport $transport = null): Publisher
    {
        return new Publisher($transport ?? $this->transport(...), $this->encryption());
    }

    public function authorizer(): Authorizer
    {
        return new Authorizer($this->app(), $this->encryption());
    }

    public function adminApi(): AdminApi
    {
        return new AdminApi($this->client('the console commands need'), (string) $this->config['admin']);
    }

    /**
     * @param string $option that is checked by itself
     *
     * @throws ConfigurationException when it can never work
     */
    public function check(string $option): void
    {
        match ($option) {
            'way' => Way::of((string) $this->config['way']),
            'timeout' => $this->timeout(),
            'encryption_master_key' => $this->encryption(),
            // A site may have no application: then nothing is published.
            'app' => implode('', $this->config['app']) === '' ? null : $this->app(),
        };
    }

    private function transport(): Transport
    {
        $url = (string) $this->config['url'];
        $http = $url === '' ? null : fn (): HttpTransport => new HttpTransport($this->app(), $url, $this->client('the HTTP API needs'));

        return Way::of((string) $this->config['way'])->transport($this->app(), $http);
    }

    private function app(): App
    {
        return new App((string) $this->config['app']['id'], (string) $this->config['app']['key'], (string) $this->config['app']['secret']);
    }

    private function encryption(): ?Encryption
    {
        $key = (string) $this->config['encryption_master_key'];

        return $key === '' ? null : new Encryption($key);
    }

    private function client(string $who): HttpClient
    {
        if ($this->http === null) {
            throw new ConfigurationException("$who Symfony's HTTP client: composer require symfony/http-client, and enable framework.http_client");
        }

        return new SymfonyHttpClient($this->http, $this->timeout());
    }

    private function timeout(): float
    {
        $timeout = (float) $this->config['timeout'];

        return $timeout > 0 ? $timeout : throw new ConfigurationException("the timeout must be more than 0 seconds, not $timeout");
    }
}
