<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** Caddy's admin endpoint, for consoles: who is connected, counters, new workers. It answers on the server's machine only. */
final class AdminApi
{
    private readonly string $base;

    /**
     * @param string $endpoint as the global option `admin` of the Caddyfile: localhost:2019
     *
     * @throws Pusher\ConfigurationException when it is no address
     */
    public function __construct(private readonly HttpClient $http, string $endpoint = 'localhost:2019')
    {
        if (preg_match('#\A(?:http://)?[^/?\#\s@]+\z#', $endpoint) !== 1) {
            throw new Pusher\ConfigurationException("the admin endpoint must be as localhost:2019, not \"$endpoint\"");
        }
        $this->base = str_starts_with($endpoint, 'http://') ? $endpoint : "http://$endpoint";
    }

    /**
     * @return list<string> ids
     *
     * @throws AdminException
     */
    public function clients(?string $route = null, ?string $tag = null, ?string $user = null): array
    {
        $query = http_build_query(array_filter(['route' => $route, 'tag' => $tag, 'user' => $user], static fn (?string $value): bool => $value !== null));

        return $this->get('/websocket/clients' . ($query === '' ? '' : "?$query"))['names'] ?? [];
    }

    /**
     * @return array<string, mixed>|null null: the client is gone
     *
     * @throws AdminException
     */
    public function client(string $id): ?array
    {
        try {
            return $this->get('/websocket/clients/' . rawurlencode($id))['client'] ?? null;
        } catch (AdminException $error) {
            return $error->getCode() === 404 ? null : throw $error;
        }
    }

    /**
     * @return array<string, int|float>
     *
     * @throws AdminException
     */
    public function stats(): array
    {
        return $this->get('/websocket/stats');
    }

    /**
     * All workers start again, with new code. Connections stay.
     *
     * @throws AdminException
     */
    public function restartWorkers(): void
    {
        $this->request('POST', '/frankenphp/workers/restart');
    }

    /** @return array<string, mixed> */
    private function get(string $path): array
    {
        $answer = json_decode($this->request('GET', $path), true);

        return is_array($answer) ? $answer : throw new AdminException("$this->base$path answered something that is no JSON: is that Caddy's admin endpoint?");
    }

    private function request(string $method, string $path): string
    {
        try {
            [$status, $body] = $this->http->request($method, $this->base . $path, ['Origin' => $this->base]);
        } catch (\Throwable $error) {
            throw new AdminException("Caddy's admin endpoint $this->base does not answer: " . rtrim($error->getMessage(), '.') . ". Does the server run on this machine, and is that its `admin` address?", 0, $error);
        }
        if ($status < 200 || $status > 299) {
            throw new AdminException("$method $this->base$path was answered with $status: " . trim(substr($body, 0, 300)), $status);
        }

        return $body;
    }
}
