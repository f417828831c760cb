<?php

declare(strict_types=1);

/** @return array<string, string> texts of the documentation, by path from the top of the tree */
function documentation(): array
{
    $top = dirname(__DIR__, 2);
    $texts = [];
    foreach ([...glob("$top/*.md"), ...glob("$top/docs/*.md"), ...glob("$top/php/*.md"), ...glob("$top/examples/*/*.md")] as $file) {
        $texts[substr($file, strlen($top) + 1)] = file_get_contents($file);
    }

    return $texts;
}

/** @return array<string, string> PHP of the documentation, by path and number */
function snippets(): array
{
    $snippets = [];
    foreach (documentation() as $path => $text) {
        preg_match_all('/^```php\n(.*?)^```$/ms', $text, $blocks);
        foreach ($blocks[1] as $i => $block) {
            $snippets["$path, PHP block " . ($i + 1)] = $block;
        }
    }

    return $snippets;
}

/** @return array{int, string} exit code and output */
function runPhp(string $options, string $source): array
{
    $file = tempnam(sys_get_temp_dir(), 'snippet');
    file_put_contents($file, $source);
    exec(escapeshellarg(PHP_BINARY) . " -d display_errors=1 -d zend.assertions=1 $options " . escapeshellarg($file) . ' 2>&1', $output, $code);
    unlink($file);

    return [$code, implode("\n", $output)];
}

test('every PHP block of the documentation is well-formed', static function (): void {
    same(true, count(snippets()) > 5);
    foreach (snippets() as $where => $source) {
        $source = str_starts_with($source, '<?php') ? $source : "<?php\n$source";
        [$code, $output] = runPhp('-l', $source);
        same("$where: 0", "$where: $code" . ($code === 0 ? '' : " $output"));
    }
});

test('every function and constant that the documentation names exists, and php.md names all', static function (): void {
    preg_match_all('/(?:^    function |^    const )(\w+)/m', file_get_contents(__DIR__ . '/../../php/stubs/frankenphp_ws.php'), $declared);
    foreach (documentation() as $path => $text) {
        preg_match_all('/\b(?:frankenphp_ws_|FRANKENPHP_WS_)\w*[A-Za-z0-9]\b/', $text, $named);
        same([$path], [$path, ...array_values(array_diff(array_unique($named[0]), $declared[1], ['FRANKENPHP_WS_SOCKET', 'FRANKENPHP_WS_HTTP2']))]);
    }
    $reference = documentation()['docs/php.md'];
    same([], array_values(array_filter($declared[1], static fn (string $name): bool => preg_match("/\\b$name\\b/", $reference) !== 1)));
});

test('php.md has the signatures of the stubs', static function (): void {
    preg_match_all('/^    function (\w+\(.*\): \S+)$/m', file_get_contents(__DIR__ . '/../../php/stubs/frankenphp_ws.php'), $declared);
    $reference = documentation()['docs/php.md'];
    foreach ($declared[1] as $signature) {
        $shown = strtr($signature, ["''" => '""']);
        same("$shown is shown", str_contains($reference, "`$shown`") ? "$shown is shown" : 'is not');
    }
});

test('every class of the package that the documentation names exists', static function (): void {
    foreach (documentation() as $path => $text) {
        preg_match_all('/FrankenPHP\\\\WebSocket\\\\(?:\{([^}]+)\}|([\w\\\\]+))/', implode("\n", array_filter(snippets(), static fn (string $where): bool => str_starts_with($where, $path), ARRAY_FILTER_USE_KEY)), $uses, PREG_SET_ORDER);
        foreach ($uses as $use) {
            foreach (explode(',', $use[1] !== '' ? $use[1] : $use[2]) as $name) {
                $class = 'FrankenPHP\WebSocket\\' . trim($name);
                same("$path: $class", class_exists($class) || interface_exists($class) ? "$path: $class" : 'does not exist');
            }
        }
    }
});

test('the scripts of the documentation that use the fake server run', static function (): void {
    $ran = 0;
    $top = dirname(__DIR__, 2);
    foreach (snippets() as $where => $source) {
        if (!str_starts_with($source, '<?php') || !str_contains($source, 'new FakeServer(')) {
            continue;
        }
        $ran++;
        // A file of the same page that the script requires is the block that begins with its name.
        $source = preg_replace_callback('~^require __DIR__ \. \'/(\w+\.php)\';$~m', static function (array $match) use ($where): string {
            foreach (snippets() as $other => $block) {
                if (strtok($other, ',') === strtok($where, ',') && str_starts_with($block, "<?php // $match[1]\n")) {
                    return preg_replace('~^<\?php.*\n~', '', $block);
                }
            }
            throw new Failure("$where: no block begins with <?php // $match[1]");
        }, $source);
        $source = str_replace("__DIR__ . '/vendor/autoload.php'", var_export("$top/php/autoload.php", true), $source);
        [$code, $output] = runPhp('', $source);
        same("$where: 0 ", "$where: $code $output");
    }
    same(true, $ran > 0);
});
