<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

use FrankenPHP\WebSocket\HttpClient;
use Illuminate\Http\Client\Factory;

/** Requests by Laravel's HTTP client, so `Http::fake()` and its events know of them. */
final class LaravelHttpClient implements HttpClient
{
    public function __construct(private readonly Factory $http, private readonly float $timeout = 5.0)
    {
    }

    public function request(string $method, string $url, array $headers = [], string $body = ''): array
    {
        $request = $this->http->timeout((int) ceil($this->timeout))->connectTimeout((int) ceil($this->timeout))->withHeaders($headers)->withoutRedirecting();
        if ($body !== '') {
            $request = $request->withBody($body, $headers['Content-Type'] ?? 'application/octet-stream');
        }
        $answer = $request->send($method, $url);

        return [$answer->status(), $answer->body()];
    }
}
