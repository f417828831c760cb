<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Pusher;

/** Which way messages go from PHP to the server. */
enum Way: string
{
    /** The first that works of the other three. */
    case Auto = 'auto';

    /** In the server's own process, in its workers and web requests. */
    case Process = 'process';

    /** By the control socket, in `frankenphp php-cli` on the server's machine. */
    case Control = 'control';

    /** By the signed HTTP API, from anywhere. */
    case Http = 'http';

    /** @throws ConfigurationException when there is no such way */
    public static function of(string $name): self
    {
        return self::tryFrom($name) ?? throw new ConfigurationException(
            "there is no way \"$name\" to publish, only: " . implode(', ', array_column(self::cases(), 'value')),
        );
    }

    /**
     * @param HttpTransport|(\Closure(): HttpTransport)|null $http null: no URL is configured. A function is called where HTTP is needed
     * @param bool|null $isThere whether the server's functions are there; null: look
     * @param string    $sapi    of this PHP
     *
     * @throws ConfigurationException when this way does not work in this PHP
     */
    public function transport(App $app, HttpTransport|\Closure|null $http, ?bool $isThere = null, string $sapi = PHP_SAPI): Transport
    {
        $isThere ??= ServerTransport::isThere();
        $isServer = $isThere && $sapi !== 'cli';

        return match ($this) {
            self::Process => $isServer ? new ServerTransport($app) : throw self::notHere($this, $isThere, 'workers and web requests of the server'),
            self::Control => $isThere && !$isServer ? new ServerTransport($app) : throw self::notHere($this, $isThere, '`frankenphp php-cli`'),
            self::Http => self::made($http) ?? throw new ConfigurationException('the way "http" to publish needs the URL of the site, and none is configured'),
            self::Auto => match (true) {
                $isThere => $http === null ? new ServerTransport($app) : new FallbackTransport(new ServerTransport($app), $http),
                default => self::made($http) ?? throw new ConfigurationException('nothing can be published: this PHP is not that of a frankenphp binary with the Pusher protocol, and no URL of the HTTP API is configured. Run the script by `frankenphp php-cli`, or configure the URL of the site'),
            },
        };
    }

    private static function made(HttpTransport|\Closure|null $http): ?HttpTransport
    {
        return $http instanceof \Closure ? $http() : $http;
    }

    private static function notHere(self $way, bool $isThere, string $where): ConfigurationException
    {
        return new ConfigurationException("the way \"$way->value\" to publish works in $where only, and this " . ($isThere ? 'is another process' : 'PHP does not have ' . ServerTransport::FUNCTION . '()') . ': choose "auto" or "http"');
    }
}
