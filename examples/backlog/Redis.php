<?php

declare(strict_types=1);

namespace Example;

/**
 * As much of a Redis client as the example needs: one connection, made when it is needed, and made again after it broke. An
 * application would use the extension phpredis or a library.
 */
final class Redis
{
    /** @var resource|null */
    private $stream;

    /** @param string $address tcp://host:port or unix:///path */
    public function __construct(private readonly string $address)
    {
    }

    /** @return string|int|null|list<mixed> */
    public function command(string|int ...$words): string|int|array|null
    {
        // A command is not sent twice: nobody knows whether the first one was carried out.
        try {
            $this->stream = self::isGone($this->stream) ? $this->connect() : $this->stream;
            $text = '*' . count($words) . "\r\n";
            foreach ($words as $word) {
                $text .= '$' . strlen((string) $word) . "\r\n$word\r\n";
            }
            if (@fwrite($this->stream, $text) !== strlen($text)) {
                throw new \RuntimeException("Redis at $this->address does not take commands");
            }

            return $this->reply();
        } catch (\RuntimeException $error) {
            $this->stream = null;
            throw $error;
        }
    }

    /**
     * Whether Redis has closed the connection, as it does with those that were idle for its `timeout`, or when it is started anew: then
     * there is something to be read although nothing was asked.
     *
     * @param resource|null $stream
     */
    private static function isGone($stream): bool
    {
        [$read, $write, $except] = [[$stream], null, null];

        return $stream === null || stream_select($read, $write, $except, 0) !== 0;
    }

    /** @return resource */
    private function connect()
    {
        $stream = @stream_socket_client($this->address, $code, $message, 2);
        if ($stream === false) {
            throw new \RuntimeException("no Redis at $this->address: $message");
        }
        stream_set_timeout($stream, 2);

        return $stream;
    }

    private function reply(): string|int|array|null
    {
        $line = $this->read(fgets($this->stream));
        $rest = substr($line, 1, -2);

        return match ($line[0]) {
            '+' => $rest,
            '-' => throw new \RuntimeException("Redis: $rest"),
            ':' => (int) $rest,
            '$' => $rest === '-1' ? null : substr($this->read(stream_get_contents($this->stream, (int) $rest + 2)), 0, -2),
            '*' => $rest === '-1' ? null : array_map(fn (): string|int|array|null => $this->reply(), array_fill(0, (int) $rest, null)),
            default => throw new \RuntimeException('Redis: no reply that is understood'),
        };
    }

    private function read(string|false $bytes): string
    {
        return $bytes !== false && str_ends_with($bytes, "\r\n") ? $bytes : throw new \RuntimeException("Redis at $this->address has gone");
    }
}
