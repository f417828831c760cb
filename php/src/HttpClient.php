<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/** What makes HTTP requests: that of the framework. */
interface HttpClient
{
    /**
     * @param array<string, string> $headers
     *
     * @return array{int, string} status and body, whatever the status is
     *
     * @throws \Throwable when there was no answer
     */
    public function request(string $method, string $url, array $headers = [], string $body = ''): array;
}
