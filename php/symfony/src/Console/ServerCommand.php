<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\AdminException;
use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Terminal;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Style\SymfonyStyle;

/**
 * A command that asks the server.
 *
 * @internal
 */
abstract class ServerCommand extends Command
{
    /** @param AdminApi|\Closure(): AdminApi $server a function is called when the command runs: others only list it, and need no HTTP client */
    public function __construct(private readonly AdminApi|\Closure $server)
    {
        parent::__construct();
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $io = new SymfonyStyle($input, $output);
        try {
            return $this->ask($this->server instanceof \Closure ? ($this->server)() : $this->server, $input, $io);
        } catch (AdminException|ConfigurationException $error) {
            // Not where a program reads the answer. What another server has said may have anything in it.
            $io->getErrorStyle()->error(Terminal::text($error->getMessage()));

            return self::FAILURE;
        }
    }

    /** @throws AdminException when the server does not answer */
    abstract protected function ask(AdminApi $server, InputInterface $input, SymfonyStyle $io): int;
}
