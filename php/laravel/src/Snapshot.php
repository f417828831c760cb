<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Laravel;

/**
 * What an object had in its properties, to be put back later. The object stays the same, so whoever holds it goes on with it.
 *
 * @internal Sandbox uses it
 */
final class Snapshot
{
    /** @var list<array{\ReflectionProperty, bool, mixed}> */
    private array $properties = [];

    public function __construct(private readonly object $object)
    {
        for ($class = new \ReflectionClass($object); $class !== false; $class = $class->getParentClass()) {
            foreach ($class->getProperties() as $property) {
                if (!$property->isStatic() && !$property->isReadOnly() && $property->getDeclaringClass()->getName() === $class->getName()) {
                    $there = $property->isInitialized($object);
                    $this->properties[] = [$property, $there, $there ? $property->getValue($object) : null];
                }
            }
        }
    }

    public function restore(): void
    {
        foreach ($this->properties as [$property, $there, $value]) {
            if ($there) {
                $property->setValue($this->object, $value);
            }
        }
    }
}
