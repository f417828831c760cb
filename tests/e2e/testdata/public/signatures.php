<?php

declare(strict_types=1);

/* Lists where the stubs of the Composer package differ from what the extension declares. */

/** @return list<string> one line for each function or class */
function describe(array $functions, array $classes): array
{
    $lines = [];
    foreach ($functions as $name) {
        $function = new ReflectionFunction($name);
        $parameters = array_map(
            static fn (ReflectionParameter $p): string => trim("{$p->getType()} \${$p->getName()}"
                . ($p->isDefaultValueAvailable() ? ' = ' . var_export($p->getDefaultValue(), true) : '')),
            $function->getParameters(),
        );
        $lines[] = "function {$function->getShortName()}(" . implode(', ', $parameters) . "): {$function->getReturnType()}";
    }
    foreach ($classes as $name) {
        $class = new ReflectionClass($name);
        $lines[] = "class {$class->getShortName()} extends {$class->getParentClass()->getShortName()}";
    }
    sort($lines);

    return $lines;
}

$exceptions = static fn (string $namespace): array => array_values(array_filter(
    get_declared_classes(),
    static fn (string $class): bool => str_starts_with($class, $namespace) && is_subclass_of($class, RuntimeException::class),
));

$real = describe(
    array_filter(get_defined_functions()['internal'], static fn (string $name): bool => str_starts_with($name, 'frankenphp_ws_')),
    $exceptions('FrankenPHP\\WebSocket\\'),
);
$stubs = file_get_contents(__DIR__ . '/../../../../php/stubs/frankenphp_ws.php');
// Beside the real ones: under another namespace.
eval('?>' . strtr($stubs, ['namespace FrankenPHP\\WebSocket {' => 'namespace Stub {', 'namespace {' => 'namespace Stub {']));
$stubbed = describe(
    array_filter(get_defined_functions()['user'], static fn (string $name): bool => str_starts_with($name, 'stub\\')),
    $exceptions('Stub\\'),
);

echo json_encode([
    'count' => count($real),
    'only in the extension' => array_values(array_diff($real, $stubbed)),
    'only in the stubs' => array_values(array_diff($stubbed, $real)),
], JSON_THROW_ON_ERROR);
