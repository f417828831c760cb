<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Console;

use FrankenPHP\WebSocket\AdminApi;
use Symfony\Component\Console\Attribute\AsCommand;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Style\SymfonyStyle;

/** After a deployment: workers keep the code that they started with. */
#[AsCommand('frankenphp-ws:restart', 'Start the workers again with the code that is there now; no client is disconnected')]
final class RestartCommand extends ServerCommand
{
    protected function ask(AdminApi $server, InputInterface $input, SymfonyStyle $io): int
    {
        $server->restartWorkers();
        $io->success('The workers have been started again.');

        return self::SUCCESS;
    }
}
