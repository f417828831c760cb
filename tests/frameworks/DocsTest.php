<?php

declare(strict_types=1);

namespace Tests;

use FrankenPHP\WebSocket\Symfony\FrankenPhpWebSocketBundle;
use PHPUnit\Framework\TestCase;
use Symfony\Component\Config\Definition\ArrayNode;
use Symfony\Component\Config\Definition\NodeInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;

/** What the guides name is there, and what is there is named. */
final class DocsTest extends TestCase
{
    public function testTheGuideForSymfonyHasAllOptionsOfTheBundleWithTheirDefaults(): void
    {
        $extension = (new FrankenPhpWebSocketBundle())->getContainerExtension();
        $options = self::options($extension->getConfiguration([], new ContainerBuilder())->getConfigTreeBuilder()->buildTree());
        self::assertCount(10, $options);
        $guide = self::read('docs/symfony.md');
        foreach ($options as $name => $default) {
            self::assertMatchesRegularExpression('/^\|.*`' . preg_quote($name, '/') . '`.*\|$/m', $guide);
            preg_match('/^\|[^|]*`' . preg_quote($name, '/') . '`[^|]*\|[^|]*\| ?([^|]*?) ?\|$/m', $guide, $row);
            $shown = match (true) {
                $default === null => 'none',
                is_float($default) => number_format($default, 1),
                is_bool($default) => var_export($default, true),
                default => $default === '' ? '' : "`$default`",
            };
            self::assertSame($shown, $default === null ? explode(':', $row[1])[0] : $row[1], $name);
        }
    }

    public function testTheGuideForLaravelNamesTheVariablesAndServicesOfItsConfiguration(): void
    {
        $config = self::read('php/laravel/config/frankenphp-ws.php');
        preg_match_all('/env\(\'([A-Z_]+)\'/', $config, $variables);
        $guide = self::read('docs/laravel.md');
        preg_match_all('/\bFRANKENPHP_WS_[A-Z_]+\b/', $guide, $named);
        $ours = array_filter($variables[1], static fn (string $name): bool => str_starts_with($name, 'FRANKENPHP_WS_'));
        self::assertEqualsCanonicalizing(array_values(array_unique($ours)), array_values(array_unique($named[0])));
    }

    public function testEveryEventOfLaravelIsInTheGuide(): void
    {
        $guide = self::read('docs/laravel.md');
        $events = array_map(static fn (string $file): string => basename($file, '.php'), (array) glob(dirname(__DIR__, 2) . '/php/laravel/src/Events/*.php'));
        self::assertGreaterThan(8, count($events));
        foreach ($events as $event) {
            self::assertStringContainsString("`$event`", $guide);
        }
    }

    public function testTheBlocksForLaravelAndSymfonyNameClassesThatAreThere(): void
    {
        foreach (['docs/laravel.md', 'docs/symfony.md'] as $page) {
            preg_match_all('/^use ([\w\\\\]+);$/m', self::read($page), $uses);
            self::assertNotSame([], $uses[1]);
            foreach (array_unique($uses[1]) as $class) {
                self::assertTrue(class_exists($class) || interface_exists($class) || trait_exists($class), "$page: $class");
            }
        }
    }

    /** Composer takes a package without a release only where the site itself names it: a package that requires it is not enough. */
    public function testTheGuidesInstallAllThatHasNoRelease(): void
    {
        foreach (['laravel', 'symfony'] as $framework) {
            $package = json_decode(self::read("php/$framework/composer.json"), true, flags: JSON_THROW_ON_ERROR);
            $unreleased = [$package['name'], ...array_keys($package['require'], '@dev', true)];
            self::assertCount(2, $unreleased);
            preg_match('/^ *composer require (.*)$/m', self::read("docs/$framework.md"), $command);
            self::assertEqualsCanonicalizing(array_map(static fn (string $name): string => "$name:@dev", $unreleased), explode(' ', $command[1]));
        }
    }

    /** @return array<string, mixed> defaults by name */
    private static function options(NodeInterface $node, string $prefix = ''): array
    {
        $options = [];
        foreach ($node instanceof ArrayNode ? $node->getChildren() : [] as $name => $child) {
            $options += $child instanceof ArrayNode ? self::options($child, "$prefix$name.") : ["$prefix$name" => $child->getDefaultValue()];
        }

        return $options;
    }

    private static function read(string $file): string
    {
        return (string) file_get_contents(dirname(__DIR__, 2) . "/$file");
    }
}
