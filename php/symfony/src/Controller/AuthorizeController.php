<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket\Symfony\Controller;

use FrankenPHP\WebSocket\Symfony\Security\CurrentUser;
use FrankenPHP\WebSocket\Symfony\Security\SecurityUsers;
use Symfony\Component\HttpFoundation\Response;

/**
 * Answers the server, which asks by the option `authorize` of a route whether a client may connect: yes, as the user who is logged in. Who may
 * at all is said by `access_control`, as for every page.
 */
final class AuthorizeController
{
    public function __construct(private readonly CurrentUser $current, private readonly bool $anonymous = false)
    {
    }

    public function __invoke(): Response
    {
        $user = $this->current->get();
        if ($user === null) {
            return $this->anonymous ? self::answer(204, ['WebSocket-Authorize' => 'accept']) : self::answer(401);
        }
        $info = SecurityUsers::info($user);

        return self::answer(204, ['WebSocket-Authorize' => 'accept', 'WebSocket-User' => rawurlencode($user->getUserIdentifier())]
            + ($info === null ? [] : ['WebSocket-User-Info' => rawurlencode($info)]));
    }

    /** @param array<string, string> $headers */
    private static function answer(int $status, array $headers = []): Response
    {
        return new Response('', $status, $headers + ['Cache-Control' => 'no-store']);
    }
}
