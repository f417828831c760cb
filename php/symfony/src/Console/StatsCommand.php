<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\AdminException;
use Symfony\Component\Console\Attribute\AsCommand;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Style\SymfonyStyle;

/** The counters of the server. */
#[AsCommand('frankenphp-ws:stats', 'Show the counters of the WebSocket server')]
final class StatsCommand extends Command
{
    public function __construct(private readonly AdminApi $server)
    {
        parent::__construct();
    }

    protected function configure(): void
    {
        $this->addOption('json', null, InputOption::VALUE_NONE, 'as JSON');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $io = new SymfonyStyle($input, $output);
        try {
            $stats = $this->server->stats();
        } catch (AdminException $error) {
            $io->error($error->getMessage());

            return self::FAILURE;
        }
        if ($input->getOption('json')) {
            $output->writeln(json_encode($stats, JSON_THROW_ON_ERROR | JSON_PRETTY_PRINT));
        } else {
            $io->table(['Counter', 'Value'], array_map(static fn (string $name, mixed $value): array => [$name, is_scalar($value) ? $value : json_encode($value, JSON_THROW_ON_ERROR)], array_keys($stats), $stats));
        }

        return self::SUCCESS;
    }
}
