<?php

declare(strict_types=1);

echo count(frankenphp_ws_presence($_GET['channel']));
