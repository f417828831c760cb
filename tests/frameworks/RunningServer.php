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

    private readonly string $logFile;

    /**
     * @param string                $folder    where it is started
     * @param string                $caddyfile the text, without `admin`; {$PORT} is the port of the site
     * @param array<string, string> $env
     * @param string|null           $home      where it writes; null: where it is started
     * @param string                $command   of a shell, for which `frankenphp` is the binary
     */
    public function __construct(
        string $folder,
        string $caddyfile,
        array $env = [],
        ?string $home = null,
        string $command = 'exec frankenphp run --config "$CONFIG" --adapter caddyfile',
    ) {
        $home ??= $folder;
        $binary = (string) getenv('FWS_FRANKENPHP');
        Assert::assertTrue(is_file($binary), 'FWS_FRANKENPHP must be the path of a frankenphp binary; make test-frameworks sets it');
        [$this->port, $this->admin] = [self::freePort(), self::freePort()];
        file_put_contents("$home/Caddyfile.test", preg_replace('/\{\n/', "{\n\tadmin 127.0.0.1:$this->admin\n", $caddyfile, 1));
        $this->logFile = "$home/server.log";
        // Into a file: a pipe that nobody empties would hold the server up.
        is_dir("$home/bin") || mkdir("$home/bin") && symlink((string) realpath($binary), "$home/bin/frankenphp");
        $this->process = Process::fromShellCommandline("exec >\"\$LOG\" 2>&1\n$command", $folder, $env + [
            'PATH' => "$home/bin:" . getenv('PATH'), 'CADDY_ADMIN' => "127.0.0.1:$this->admin", 'CONFIG' => "$home/Caddyfile.test", 'LOG' => $this->logFile,
            'PORT' => (string) $this->port, 'HOME' => $home, 'XDG_RUNTIME_DIR' => $home, 'XDG_DATA_HOME' => $home, 'XDG_CONFIG_HOME' => $home,
            'FRANKENPHP_WS_SOCKET' => "$home/ctl.sock", 'FWS_FRAMEWORKS' => (string) getenv('FWS_FRAMEWORKS'),
        ] + self::nothingOfOtherTests());
        $this->process->setTimeout(null);
        $this->process->start();
        // Caddy may accept requests before FrankenPHP has started, which never answers those.
        $this->eventually(fn (): bool => str_contains($this->log(), 'FrankenPHP started') && str_contains($this->log(), 'serving initial configuration'));
    }

    /** An example's Caddyfile, for a binary that may be without the Pusher protocol, and without libwatcher-c. */
    public static function withoutPusher(string $caddyfile): string
    {
        $text = preg_replace('/^\t@pusher .*?^\t\}\n/ms', '', (string) file_get_contents($caddyfile));

        return (string) preg_replace('/^\s*watch\n/m', '', str_replace(':{$PORT:8080} {', 'http://127.0.0.1:{$PORT} {', (string) $text));
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
        return (string) @file_get_contents($this->logFile);
    }

    public function stop(): void
    {
        // Where a shell has started it, a signal reaches the shell only.
        @file_get_contents("http://127.0.0.1:$this->admin/stop", context: stream_context_create(['http' => ['method' => 'POST', 'timeout' => 10]]));
        $this->process->stop(10);
    }

    /** @param \Closure(): bool $condition */
    public function eventually(\Closure $condition): void
    {
        for ($until = microtime(true) + 60; !$condition(); usleep(10_000)) {
            Assert::assertTrue($this->process->isRunning() && microtime(true) < $until, "the server is not as it should be; its log:\n" . $this->log());
        }
    }

    /** @return array<string, false> what applications of other tests have put into the environment */
    private static function nothingOfOtherTests(): array
    {
        return array_fill_keys(array_diff(array_keys(getenv() + $_ENV), ['PATH', 'LANG', 'TMPDIR']), false);
    }

    private static function freePort(): int
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $port = (int) substr((string) strrchr((string) stream_socket_get_name($socket, false), ':'), 1);
        fclose($socket);

        return $port;
    }
}
