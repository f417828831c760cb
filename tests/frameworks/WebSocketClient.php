<?php

declare(strict_types=1);

namespace Tests;

/** Text messages of a WebSocket, as far as the tests need them. */
final class WebSocketClient
{
    /** @var resource */
    private $stream;

    /** @param array<string, string> $headers */
    public function __construct(int $port, string $path, array $headers = [])
    {
        $this->stream = stream_socket_client("tcp://127.0.0.1:$port", $code, $why, 10) ?: throw new \RuntimeException($why);
        stream_set_timeout($this->stream, 30);
        $lines = ["GET $path HTTP/1.1", "Host: 127.0.0.1:$port", 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: ' . base64_encode(random_bytes(16))];
        foreach ($headers as $name => $value) {
            $lines[] = "$name: $value";
        }
        fwrite($this->stream, implode("\r\n", $lines) . "\r\n\r\n");
        $status = (string) fgets($this->stream);
        while (!in_array(fgets($this->stream), ["\r\n", false], true)) {
        }
        if (!str_contains($status, ' 101 ')) {
            throw new \RuntimeException("the WebSocket did not open: $status");
        }
    }

    public function send(string $text): void
    {
        $mask = random_bytes(4);
        $length = strlen($text);
        fwrite($this->stream, "\x81" . ($length < 126 ? chr(128 | $length) : "\xfe" . pack('n', $length)) . $mask . ($text ^ str_pad('', $length, $mask)));
    }

    /** The next message, or the code with which the server has closed. */
    public function receive(): string|int
    {
        while (true) {
            [$first, $length] = array_values((array) unpack('C2', $this->read(2)));
            $length = match ($length) {
                126 => unpack('n', $this->read(2))[1],
                127 => unpack('J', $this->read(8))[1],
                default => $length,
            };
            $data = $this->read($length);
            if (($first & 15) === 1) {
                return $data;
            }
            if (($first & 15) === 8) {
                return $length < 2 ? 1005 : unpack('n', $data)[1];
            }
        }
    }

    private function read(int $length): string
    {
        for ($data = ''; strlen($data) < $length; $data .= $more) {
            $more = fread($this->stream, $length - strlen($data));
            if ($more === false || $more === '') {
                throw new \RuntimeException('the connection ended, or nothing came for 30 s');
            }
        }

        return $data;
    }
}
