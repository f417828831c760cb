<?php

declare(strict_types=1);

require_once __DIR__ . '/endings.php';

/**
 * A site with sessions: /…login logs in, anything else authorises a WebSocket, as ?do=… asks. What it is asked is recorded in
 * $E2E_DIR/asked.
 */
function site(): void
{
    session_save_path(getenv('E2E_DIR'));
    session_start();
    if (str_ends_with($_SERVER['PATH_INFO'] ?? '', '/login')) {
        $_SESSION['user'] = $_GET['user'];
        echo 'logged in';

        return;
    }

    $asked = array_intersect_key($_SERVER, array_flip([
        'REQUEST_METHOD', 'REQUEST_URI', 'REMOTE_ADDR', 'HTTP_HOST', 'HTTP_ORIGIN', 'HTTP_X_ORIGINAL_URI', 'HTTP_X_WEBSOCKET_ROUTE',
        'HTTP_X_WEBSOCKET_SUBPROTOCOLS', 'HTTP_UPGRADE', 'HTTP_SEC_WEBSOCKET_KEY', 'HTTP_CONNECTION', 'PHP_AUTH_USER',
    ]));
    $json = json_encode($asked + ['cookies' => array_keys($_COOKIE)], JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
    file_put_contents(getenv('E2E_DIR') . '/asked', $json . "\n", FILE_APPEND | LOCK_EX);

    switch ($_GET['do'] ?? '') {
        case 'redirect':
            header('Location: /login?next=' . rawurlencode($_SERVER['HTTP_X_ORIGINAL_URI']));
            http_response_code(302);

            return;
        case 'sleep':
            session_write_close();
            while (!file_exists(getenv('E2E_DIR') . '/go')) {
                usleep(20_000);
                echo ' ';
                flush();
            }

            return;
        case 'accept':
            header('WebSocket-Authorize: accept');

            return;
        case 'wrong':
            header('WebSocket-Authorize: accept');
            header('WebSocket-Id: not encoded, ' . chr(200));

            return;
        case '':
            break;
        default:
            endings()[$_GET['do']]();

            return;
    }
    if (!isset($_SESSION['user'])) {
        http_response_code(401);
        header('X-Reason: no session');
        echo 'log in first';

        return;
    }
    header('WebSocket-Authorize: accept');
    setcookie('seen', 'yes');
    header('X-Request-Id: 77');
    header('WebSocket-Id: ' . rawurlencode("user {$_SESSION['user']}"));
    header('WebSocket-Tags: member, ' . rawurlencode('group 1,2'));
    header('WebSocket-Information: name=' . rawurlencode($_SESSION['user']));
    header('WebSocket-Information: bytes=' . rawurlencode("\0\xff=,%"), false);
    if (str_contains($_SERVER['HTTP_X_WEBSOCKET_SUBPROTOCOLS'] ?? '', 'b')) {
        header('WebSocket-Subprotocol: b');
    }
    echo 'what is printed reaches nobody';
}
