<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\Terminal;
use Symfony\Component\Console\Attribute\AsCommand;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Style\SymfonyStyle;

/** Who is connected. */
#[AsCommand('frankenphp-ws:clients', 'List the WebSocket clients of the server')]
final class ClientsCommand extends ServerCommand
{
    protected function configure(): void
    {
        $this->addOption('route', null, InputOption::VALUE_REQUIRED, 'only those on this route')
            ->addOption('tag', null, InputOption::VALUE_REQUIRED, 'only those with this tag; of the Pusher protocol ID:CHANNEL')
            ->addOption('user', null, InputOption::VALUE_REQUIRED, 'only those of this user')
            ->addOption('limit', null, InputOption::VALUE_REQUIRED, 'at most so many', '100');
    }

    protected function ask(AdminApi $server, InputInterface $input, SymfonyStyle $io): int
    {
        $limit = (string) $input->getOption('limit');
        if (!ctype_digit($limit)) {
            $io->getErrorStyle()->error('--limit must be a whole number, not "' . Terminal::text($limit) . '"');

            return self::INVALID;
        }
        $ids = $server->clients($input->getOption('route'), $input->getOption('tag'), $input->getOption('user'));
        $clients = array_filter(array_map($server->client(...), array_slice($ids, 0, (int) $limit)));
        $io->table(['Id', 'Route', 'User', 'Address', 'Tags'], array_map(
            static fn (array $client): array => array_map(
                static fn (string $text): string => OutputFormatter::escape(Terminal::text($text)),
                [$client['id'], $client['route'], $client['user'] ?? '', $client['ip'], implode(' ', $client['tags'] ?? [])],
            ),
            array_values($clients),
        ));
        $io->writeln(count($ids) . ' in all');

        return self::SUCCESS;
    }
}
