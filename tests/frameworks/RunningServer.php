<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\Assert;
use Symfony\Component\Process\Process;

/** A frankenphp process of a test. FWS_FRANKENPHP names the binary. */
final class RunningServer
{
    public readonly int $port;

    public readonly int $admin;

    private readonly Process $process;

    /**
     * @param string                $folder    where it is started
     * @param string                $caddyfile the text, without `admin`; {$PORT} is the port of the site
     * @param array<string, string> $env
     */
    public function __construct(string $folder, string $caddyfile, array $env = [])
    {
        $binary = (string) getenv('FWS_FRANKENPHP');
        Assert::assertTrue(is_file($binary), 'FWS_FRANKENPHP must be the path of a frankenphp binary; make test-frameworks sets it');
        [$this->port, $this->admin] = [self::freePort(), self::freePort()];
        file_put_contents("$folder/Caddyfile.test", preg_replace('/\{\n/', "{\n\tadmin 127.0.0.1:$this->admin\n", $caddyfile, 1));
        $this->process = new Process([$binary, 'run', '--config', 'Caddyfile.test', '--adapter', 'caddyfile'], $folder, $env + [
            'PORT' => (string) $this->port, 'HOME' => $folder, 'XDG_RUNTIME_DIR' => $folder, 'XDG_DATA_HOME' => $folder, 'XDG_CONFIG_HOME' => $folder,
            'FRANKENPHP_WS_SOCKET' => "$folder/ctl.sock", 'FWS_FRAMEWORKS' => (string) getenv('FWS_FRAMEWORKS'),
        ]);
        $this->process->setTimeout(null);
        $this->process->start();
        $this->eventually(fn (): bool => is_resource(@fsockopen('127.0.0.1', $this->port)));
    }

    public function get(string $path): string
    {
        return (string) file_get_contents("http://127.0.0.1:$this->port$path");
    }

    /** Runs a script with the PHP of the binary, beside the server. @param list<string> $arguments */
    public function run(array $arguments): string
    {
        $process = new Process([(string) getenv('FWS_FRANKENPHP'), 'php-cli', ...$arguments], $this->process->getWorkingDirectory(), $this->process->getEnv());
        $process->mustRun();

        return $process->getOutput();
    }

    public function log(): string
    {
        return $this->process->getOutput() . $this->process->getErrorOutput();
    }

    public function stop(): void
    {
        $this->process->stop(10);
    }

    /** @param \Closure(): bool $condition */
    public function eventually(\Closure $condition): void
    {
        for ($until = microtime(true) + 60; !$condition(); usleep(10_000)) {
            Assert::assertTrue($this->process->isRunning() && microtime(true) < $until, "the server is not as it should be; its log:\n" . $this->log());
        }
    }

    private static function freePort(): int
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $port = (int) substr((string) strrchr((string) stream_socket_get_name($socket, false), ':'), 1);
        fclose($socket);

        return $port;
    }
}
