<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use FrankenPHP\WebSocket\HttpClient;
use Symfony\Contracts\HttpClient\HttpClientInterface;

/** Requests by Symfony's HTTP client, so the profiler and tests know of them. */
final class SymfonyHttpClient implements HttpClient
{
    public function __construct(private readonly HttpClientInterface $http, private readonly float $timeout = 5.0)
    {
    }

    public function request(string $method, string $url, array $headers = [], string $body = ''): array
    {
        $answer = $this->http->request($method, $url, [
            'headers' => $headers, 'timeout' => $this->timeout, 'max_duration' => $this->timeout, 'max_redirects' => 0,
        ] + ($body === '' ? [] : ['body' => $body]));

        return [$answer->getStatusCode(), $answer->getContent(false)];
    }
}
