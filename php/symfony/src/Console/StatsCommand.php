<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\Terminal;
use Symfony\Component\Console\Attribute\AsCommand;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Style\SymfonyStyle;

/** The counters of the server. */
#[AsCommand('frankenphp-ws:stats', 'Show the counters of the WebSocket server')]
final class StatsCommand extends ServerCommand
{
    protected function configure(): void
    {
        $this->addOption('json', null, InputOption::VALUE_NONE, 'as JSON');
    }

    protected function ask(AdminApi $server, InputInterface $input, SymfonyStyle $io): int
    {
        $stats = $server->stats();
        if ($input->getOption('json')) {
            // Raw: what looks like a style is text.
            $io->writeln(json_encode($stats, JSON_THROW_ON_ERROR | JSON_PRETTY_PRINT), OutputInterface::OUTPUT_RAW);
        } else {
            $io->table(['Counter', 'Value'], array_map(
                static fn (string|int $name, mixed $value): array => [self::shown($name), self::shown(is_scalar($value) ? $value : json_encode($value, JSON_THROW_ON_ERROR))],
                array_keys($stats),
                $stats,
            ));
        }

        return self::SUCCESS;
    }

    private static function shown(mixed $value): string
    {
        return OutputFormatter::escape(Terminal::text((string) $value));
    }
}
