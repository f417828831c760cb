<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Profiler;

use Symfony\Bundle\FrameworkBundle\DataCollector\AbstractDataCollector;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\DataCollector\LateDataCollectorInterface;

/** The panel "WebSocket" of the profiler: what a request has published. */
final class WebSocketCollector extends AbstractDataCollector implements LateDataCollectorInterface
{
    public function __construct(private readonly PublishedMessages $published)
    {
    }

    public static function getTemplate(): ?string
    {
        return '@FrankenPhpWebSocket/collector.html.twig';
    }

    public function collect(Request $request, Response $response, ?\Throwable $exception = null): void
    {
    }

    /** After the response, since something may be published then. */
    public function lateCollect(): void
    {
        $messages = $this->published->all();
        foreach ($messages as &$message) {
            $message['data'] = $this->cloneVar($message['data']);
        }
        $this->data = ['messages' => $messages, 'more' => $this->published->more()];
    }

    /** @return list<array<string, mixed>> */
    public function getMessages(): array
    {
        return $this->data['messages'] ?? [];
    }

    /** How many more were published. */
    public function getMore(): int
    {
        return $this->data['more'] ?? 0;
    }

    public function getFailed(): int
    {
        return count(array_filter(array_column($this->getMessages(), 'error')));
    }

    public function getMilliseconds(): float
    {
        return array_sum(array_column($this->getMessages(), 'milliseconds'));
    }
}
