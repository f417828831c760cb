<?php

declare(strict_types=1);

require_once __DIR__ . '/Recorder.php';

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
        same([$path], [$path, ...array_values(array_diff(array_unique($named[0]), $declared[1], ['FRANKENPHP_WS_SOCKET', 'FRANKENPHP_WS_HTTP2', 'FRANKENPHP_WS_WORKER',
            'FRANKENPHP_WS_WAY', 'FRANKENPHP_WS_URL', 'FRANKENPHP_WS_ENCRYPTION_KEY', 'FRANKENPHP_WS_ADMIN']))]);
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
                // The packages for frameworks cannot be loaded without these.
                $file = dirname(__DIR__, 2) . '/php/' . preg_replace('#^(laravel|symfony)/#', '$1/src/', strtr(lcfirst(substr($class, 21)), '\\', '/')) . '.php';
                same("$path: $class", class_exists($class) || interface_exists($class) || is_file($file) ? "$path: $class" : 'does not exist');
            }
        }
    }
});

/**
 * The named PHP blocks of a page as files of one folder, beside a vendor folder in which the package is installed, as a reader has them who
 * pastes them. Of several of one name the first counts.
 */
function pasted(string $page): string
{
    $folder = sys_get_temp_dir() . '/snippets-' . bin2hex(random_bytes(4));
    mkdir("$folder/vendor", recursive: true);
    file_put_contents("$folder/vendor/autoload.php", '<?php require ' . var_export(dirname(__DIR__, 2) . '/php/autoload.php', true) . ';');
    foreach (snippets() as $where => $source) {
        if (strtok($where, ',') === $page && preg_match('~^<\?php // ([\w-]+\.php)\b~', $source, $name) === 1 && !file_exists("$folder/$name[1]")) {
            file_put_contents("$folder/$name[1]", $source);
        }
    }
    register_shutdown_function(static function () use ($folder): void {
        array_map(unlink(...), [...glob("$folder/*.php"), "$folder/vendor/autoload.php"]);
        rmdir("$folder/vendor");
        rmdir($folder);
    });

    return $folder;
}

test('the scripts of the documentation that use the fake server run', static function (): void {
    $ran = [];
    foreach (array_unique(array_map(static fn (string $where): string => strtok($where, ','), array_keys(snippets()))) as $page) {
        $folder = pasted($page);
        foreach (glob("$folder/*.php") as $file) {
            if (!str_contains(file_get_contents($file), 'new FakeServer(')) {
                continue;
            }
            $ran[] = basename($file);
            exec(escapeshellarg(PHP_BINARY) . ' -d display_errors=1 -d zend.assertions=1 -d error_reporting=-1 ' . escapeshellarg($file) . ' 2>&1', $output, $code);
            same("$page, " . basename($file) . ': 0 ', "$page, " . basename($file) . ": $code " . implode("\n", $output));
        }
    }
    same(['rooms-test.php', 'chat-test.php'], $ran);
});

/** A database whose connection goes away. */
final class Flaky extends PDO
{
    public static int $connected = 0;
    public bool $gone = false;
    public int $asked = 0;

    public function __construct(private readonly bool $throws)
    {
        self::$connected++;
    }

    public function query(string $query, ?int $fetchMode = null, mixed ...$fetchModeArgs): PDOStatement|false
    {
        $this->asked++;
        if ($this->gone) {
            trigger_error('PDO::query(): MySQL server has gone away', E_USER_WARNING);

            return $this->throws ? throw new PDOException('SQLSTATE[HY000]: General error: 2006 MySQL server has gone away') : false;
        }

        return new PDOStatement();
    }
}

test('the database of the guide connects anew when its connection has gone away, and only then', static function (): void {
    require pasted('docs/applications.md') . '/Database.php';
    foreach ([true, false] as $throws) {
        Flaky::$connected = 0;
        $database = new Database(static fn (): PDO => new Flaky($throws), -1.0);
        $first = $database->pdo();
        same([$first, 1, 1], [$database->pdo(), Flaky::$connected, $first->asked]);
        $first->gone = true;
        $second = $database->pdo();
        same([false, 2], [$second === $first, Flaky::$connected]);
        same($second, $database->pdo());
    }
    $trusting = new Database(static fn (): PDO => new Flaky(true));
    $trusting->pdo();
    same(0, $trusting->pdo()->asked);
});

test('the fragments of the documentation run within an event', static function (): void {
    $ran = 0;
    foreach (snippets() as $where => $source) {
        if (str_starts_with($source, '<?php') && !str_starts_with($source, "<?php\nfrankenphp_ws_")) {
            continue;
        }
        if (preg_match('#^docs/(laravel|symfony)\.md#', $where) === 1) {
            // They need the framework: tests/frameworks.
            continue;
        }
        $ran++;
        $server = new FrankenPHP\WebSocket\Testing\FakeServer(new Recorder(['message' => static function (FrankenPHP\WebSocket\Connection $connection) use ($source): void {
            // What the text around a fragment speaks of.
            $messages = ['nobody' => 'hello'];
            $_SESSION = ['user' => 'ann'];
            [$room, $data] = ['x|vip', 'hello'];
            [$id, $user] = [$connection->id, (object) ['id' => 42, 'name' => 'Ann']];
            ob_start();
            try {
                eval('?>' . (str_starts_with($source, '<?php') ? $source : "<?php\n$source"));
            } finally {
                ob_end_clean();
            }
        }]), histories: ['app' => ['room:*' => 100]], presence: ['app' => ['room:*' => 5000]]);
        $client = $server->connect(tags: ['trial']);
        $client->send('x');
        same([$where, []], [$where, $server->failures]);
    }
    same(true, $ran >= 5);
});

/** @return list<string> the anchors of a page's headings, as GitHub makes them */
function anchors(string $text): array
{
    $anchors = [];
    // A line of a block that begins with # is no heading.
    preg_match_all('/^#+ +(.+?) *$/m', preg_replace('/^```.*?^```$/ms', '', $text), $headings);
    foreach ($headings[1] as $heading) {
        $plain = preg_replace('/\[([^\]]*)\]\([^)]*\)/', '$1', $heading);
        $anchors[] = strtr(preg_replace('/[^\p{L}\p{N} _-]/u', '', mb_strtolower($plain)), ' ', '-');
    }

    return $anchors;
}

test('every link of the documentation leads to something that is there', static function (): void {
    $top = dirname(__DIR__, 2);
    [$checked, $wrong] = [0, []];
    foreach ([...documentation(), ...['tests/bench/README.md' => file_get_contents("$top/tests/bench/README.md")]] as $path => $text) {
        preg_match_all('/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/', preg_replace('/^```.*?^```$/ms', '', $text), $links, PREG_SET_ORDER);
        foreach ($links as $link) {
            $checked++;
            $file = $link[1] === '' ? "$top/$path" : dirname("$top/$path") . '/' . $link[1];
            if (!file_exists($file) || isset($link[2]) && !in_array($link[2], anchors(file_get_contents($file)), true)) {
                $wrong[] = "$path: $link[0]";
            }
        }
    }
    same([[], true], [$wrong, $checked > 50]);
});

test('the files, folders and targets that CONTRIBUTING.md names are there', static function (): void {
    $top = dirname(__DIR__, 2);
    $text = file_get_contents("$top/CONTRIBUTING.md");
    preg_match_all('~`((?:crates|caddy-module|go-bridge|php|docs|tests|include|tools)(?:/[\w.-]*)*)`~', $text, $paths);
    preg_match_all('~\bmake ([a-z][a-z-]*)~', $text, $targets);
    preg_match_all('~^([a-z][a-z-]*):~m', file_get_contents("$top/Makefile"), $made);
    same([true, true], [count($paths[1]) > 20, count($targets[1]) > 5]);
    same([], array_values(array_filter($paths[1], static fn (string $path): bool => !file_exists("$top/$path"))));
    same([], array_values(array_diff($targets[1], $made[1])));
});
