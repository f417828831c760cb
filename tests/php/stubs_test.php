<?php

declare(strict_types=1);

use FrankenPHP\WebSocket\Testing\FakeServer;

require_once __DIR__ . '/Recorder.php';

/** @return array<string, ReflectionFunction> the functions of the stubs, by name; they are defined under another namespace */
function stubs(): array
{
    static $stubs = null;
    if ($stubs === null) {
        $source = file_get_contents(__DIR__ . '/../../php/stubs/frankenphp_ws.php');
        eval('?>' . strtr($source, ['namespace FrankenPHP\WebSocket {' => 'namespace Stub {', 'namespace {' => 'namespace Stub {']));
        foreach (get_defined_functions()['user'] as $name) {
            if (str_starts_with($name, 'stub\\')) {
                $function = new ReflectionFunction($name);
                $stubs[$function->getShortName()] = $function;
            }
        }
    }

    return $stubs;
}

test('the fake server has every function of the stubs, with the same parameters', static function (): void {
    new FakeServer(new Recorder());
    $signature = static fn (ReflectionFunction $function): string => implode(', ', array_map(
        static fn (ReflectionParameter $p): string => "{$p->getType()} \${$p->getName()}" . ($p->isOptional() ? ' = ' . var_export($p->getDefaultValue(), true) : ''),
        $function->getParameters(),
    )) . ': ' . $function->getReturnType();
    foreach (stubs() as $name => $stub) {
        same("$name " . $signature($stub), function_exists($name) ? "$name " . $signature(new ReflectionFunction($name)) : "no $name in php/fake/functions.php");
    }
    foreach (get_defined_constants(true)['user'] as $name => $value) {
        if (str_starts_with($name, 'Stub\FRANKENPHP_WS_')) {
            same($value, constant(substr($name, strlen('Stub\\'))));
        }
    }
});

test('the stubs say of every function what it does, takes, returns and throws', static function (): void {
    same(true, count(stubs()) > 30);
    foreach (stubs() as $name => $function) {
        $doc = (string) $function->getDocComment();
        foreach ($function->getParameters() as $parameter) {
            same("$name: \${$parameter->getName()}", preg_match('/@param \S+\s+\$' . $parameter->getName() . ' +\S/', $doc) === 1 ? "$name: \${$parameter->getName()}" : 'undocumented');
        }
        $returns = (string) $function->getReturnType();
        same($returns === 'void' ? $name : "$name returns", str_contains($doc, '@return') ? "$name returns" : $name);
        same("$name throws", preg_match('/@throws \\\\FrankenPHP\\\\WebSocket\\\\\w*Exception/', $doc) === 1 ? "$name throws" : $name);
        same("$name says what it does", preg_match('~^/\*\*\s+\* [A-Z]~', $doc) === 1 ? "$name says what it does" : $name);
    }
});
