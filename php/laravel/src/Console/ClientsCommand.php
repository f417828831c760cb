<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\AdminException;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Terminal;
use Illuminate\Console\Command;
use Symfony\Component\Console\Formatter\OutputFormatter;

/** Who is connected. */
final class ClientsCommand extends Command
{
    protected $signature = 'frankenphp-ws:clients
        {--route= : only those on this route}
        {--tag= : only those with this tag; of the Pusher protocol ID:CHANNEL}
        {--user= : only those of this user}
        {--limit=100 : at most so many}';

    protected $description = 'List the WebSocket clients of the server';

    public function handle(): int
    {
        $limit = $this->option('limit') ?? '';
        if (!ctype_digit((string) $limit)) {
            $this->components->error("--limit must be a whole number, not \"$limit\"");

            return self::INVALID;
        }
        try {
            $server = $this->laravel->make(AdminApi::class);
            $ids = $server->clients($this->option('route'), $this->option('tag'), $this->option('user'));
            $rows = array_filter(array_map($server->client(...), array_slice($ids, 0, (int) $limit)));
        } catch (AdminException|ConfigurationException $error) {
            $this->components->error($error->getMessage());

            return self::FAILURE;
        }
        $this->table(['Id', 'Route', 'User', 'Address', 'Tags'], array_map(self::row(...), array_values($rows)));
        $this->components->info(count($ids) === 1 ? '1 client.' : count($ids) . ' clients' . (count($ids) > count($rows) ? ', ' . count($rows) . ' of them shown.' : '.'));

        return self::SUCCESS;
    }

    /**
     * @param array<string, mixed> $client
     *
     * @return list<string>
     */
    private static function row(array $client): array
    {
        return array_map(
            static fn (string $text): string => OutputFormatter::escape(Terminal::text($text)),
            [$client['id'], $client['route'], $client['user'] ?? '', $client['ip'], implode(' ', $client['tags'] ?? [])],
        );
    }
}
