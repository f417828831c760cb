<?php

declare(strict_types=1);

namespace Tests\Laravel;

abstract class TestCase extends \Illuminate\Foundation\Testing\TestCase
{
    protected Site $site;

    public function createApplication()
    {
        $this->site ??= $this->site();

        return $this->site->start();
    }

    protected function site(): Site
    {
        return new Site();
    }

    protected function tearDown(): void
    {
        parent::tearDown();
        $this->site->remove();
        unset($this->site);
        if (version_compare(\Illuminate\Foundation\Application::VERSION, '11', '<')) {
            // It leaves those that it has set when it started.
            restore_error_handler();
            restore_exception_handler();
        }
    }

    protected function user(string $id, string $name = 'Ann'): \Illuminate\Auth\GenericUser
    {
        return new \Illuminate\Auth\GenericUser(['id' => $id, 'name' => $name]);
    }
}
