<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\AdminException;
use FrankenPHP\WebSocket\Terminal;
use Symfony\Component\Console\Attribute\AsCommand;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Style\SymfonyStyle;

/** Who is connected. */
#[AsCommand('frankenphp-ws:clients', 'List the WebSocket clients of the server')]
final class ClientsCommand extends Command
{
    public function __construct(private readonly AdminApi $server)
    {
        parent::__construct();
    }

    protected function configure(): void
    {
        $this->addOption('route', null, InputOption::VALUE_REQUIRED, 'only those on this route')
            ->addOption('tag', null, InputOption::VALUE_REQUIRED, 'only those with this tag; of the Pusher protocol ID:CHANNEL')
            ->addOption('user', null, InputOption::VALUE_REQUIRED, 'only those of this user')
            ->addOption('limit', null, InputOption::VALUE_REQUIRED, 'at most so many', '100');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $io = new SymfonyStyle($input, $output);
        try {
            $ids = $this->server->clients($input->getOption('route'), $input->getOption('tag'), $input->getOption('user'));
            $clients = array_filter(array_map($this->server->client(...), array_slice($ids, 0, max(0, (int) $input->getOption('limit')))));
        } catch (AdminException $error) {
            $io->error($error->getMessage());

            return self::FAILURE;
        }
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
