<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony;

use Symfony\Contracts\Service\ResetInterface;
use Symfony\Contracts\Translation\LocaleAwareInterface;

/**
 * What happens between two events: services are reset as between two requests, and the locale is that of the application again, which the
 * next request sets by itself.
 *
 * @internal
 */
final class EventReset implements ResetInterface
{
    /** @param iterable<LocaleAwareInterface> $localeAware those that have been made */
    public function __construct(private readonly ResetInterface $services, private readonly iterable $localeAware, private readonly string $locale)
    {
    }

    public function reset(): void
    {
        try {
            $this->services->reset();
        } finally {
            foreach ($this->localeAware as $service) {
                if ($service->getLocale() !== $this->locale) {
                    $service->setLocale($this->locale);
                }
            }
            if (class_exists(\Locale::class) && \Locale::getDefault() !== $this->locale) {
                \Locale::setDefault($this->locale);
            }
        }
    }
}
