<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Console;

use FrankenPHP\WebSocket\AdminApi;
use FrankenPHP\WebSocket\AdminException;
use Symfony\Component\Console\Attribute\AsCommand;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Style\SymfonyStyle;

/** After a deployment: workers keep the code that they started with. */
#[AsCommand('frankenphp-ws:restart', 'Start the workers again with the code that is there now; no client is disconnected')]
final class RestartCommand extends Command
{
    public function __construct(private readonly AdminApi $server)
    {
        parent::__construct();
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $io = new SymfonyStyle($input, $output);
        try {
            $this->server->restartWorkers();
        } catch (AdminException $error) {
            $io->error($error->getMessage());

            return self::FAILURE;
        }
        $io->success('The workers have been started again.');

        return self::SUCCESS;
    }
}
