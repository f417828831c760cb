<?php

declare(strict_types=1);

/*
 * An ordinary request that reaches everyone in the chat:  curl -d 'text=Hello' http://localhost:8080/announce.php
 *
 * On a real site, put authentication in front of it.
 */

function answer(int $status, string $line): never
{
    http_response_code($status);
    header('Content-Type: text/plain; charset=utf-8');
    exit($line . "\n");
}

if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    header('Allow: POST');
    answer(405, "Send a POST request:  curl -d 'text=Hello' http://{$_SERVER['HTTP_HOST']}/announce.php");
}
// A page of another site can make a visitor's browser post forms here; browsers then say so.
if (($_SERVER['HTTP_SEC_FETCH_SITE'] ?? '') === 'cross-site') {
    answer(403, 'Announcements are not taken from other sites.');
}
$text = trim(is_string($_POST['text'] ?? null) ? $_POST['text'] : '');
if (preg_match('/^.{1,2000}$/Dsu', $text) !== 1) {
    answer(400, 'The field "text" must hold 1 to 2000 characters of UTF-8.');
}

frankenphp_ws_sendToTag('chat', json_encode(
    ['type' => 'announced', 'id' => bin2hex(random_bytes(8)), 'text' => $text, 'at' => (int) (microtime(true) * 1000)],
    JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES,
));
// On all servers, where there are several: sendToTag() has counted those of this one only.
$people = frankenphp_ws_getTagCount('chat');
answer(200, "Announced to $people.");
