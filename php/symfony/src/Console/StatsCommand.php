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
            $io->table(['Counter', 'Value'], self::rows($stats));
        }

        return self::SUCCESS;
    }

    /**
     * A line for each, however deep: one of all that is known of a route would be wider than every terminal.
     *
     * @param array<array-key, mixed> $values
     *
     * @return list<array{string, string}>
     */
    private static function rows(array $values, string $prefix = ''): array
    {
        $rows = [];
        foreach ($values as $name => $value) {
            $rows = [...$rows, ...is_array($value) && $value !== []
                ? self::rows($value, "$prefix$name.")
                : [[self::shown("$prefix$name"), self::shown(is_string($value) ? $value : json_encode($value, JSON_THROW_ON_ERROR))]]];
        }

        return $rows;
    }

    private static function shown(string $text): string
    {
        return OutputFormatter::escape(Terminal::text($text));
    }
}
