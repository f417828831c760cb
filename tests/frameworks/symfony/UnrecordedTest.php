<?php

declare(strict_types=1);

namespace Tests\Symfony;

use FrankenPHP\WebSocket\Pusher\ConfigurationException;
use FrankenPHP\WebSocket\Symfony\Testing\InteractsWithWebSockets;
use Symfony\Bundle\FrameworkBundle\Test\KernelTestCase;
use Symfony\Component\Filesystem\Filesystem;
use Symfony\Component\HttpKernel\KernelInterface;

/** Tests of a site whose configuration does not say `record: true`. */
final class UnrecordedTest extends KernelTestCase
{
    use InteractsWithWebSockets;

    protected static function createKernel(array $options = []): KernelInterface
    {
        return new ConfiguredKernel();
    }

    protected function tearDown(): void
    {
        parent::tearDown();
        restore_exception_handler();
        (new Filesystem())->remove((new TestKernel('test', true))->getProjectDir());
    }

    public function testWhereNothingIsRememberedTheMessageSaysWhatToConfigure(): void
    {
        $this->expectException(ConfigurationException::class);
        $this->expectExceptionMessage('frankenphp_ws.record is not true here: set it in config/packages/test/frankenphp_ws.yaml');
        self::assertNothingPublished();
    }
}
