<?php

declare(strict_types=1);

/* Runs PHPUnit from wherever its classes are. */

require __DIR__ . '/bootstrap.php';

define('PHPUNIT_COMPOSER_INSTALL', __DIR__ . '/bootstrap.php');
exit((new PHPUnit\TextUI\Application())->run($_SERVER['argv']));
