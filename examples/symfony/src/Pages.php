<?php

declare(strict_types=1);

namespace Board;

use FrankenPHP\WebSocket\Symfony\Messenger\Publish;
use Symfony\Bundle\SecurityBundle\Security;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;
use Symfony\Component\Messenger\MessageBusInterface;
use Symfony\Component\Security\Http\Authentication\AuthenticationUtils;
use Twig\Environment;

final class Pages
{
    public function __construct(
        private readonly Environment $twig,
        private readonly Security $security,
        private readonly MessageBusInterface $bus,
        private readonly string $key,
    ) {
    }

    public function login(AuthenticationUtils $login): Response
    {
        return new Response($this->twig->render('login.html.twig', ['error' => $login->getLastAuthenticationError(), 'names' => People::NAMES]));
    }

    public function board(): Response
    {
        return new Response($this->twig->render('board.html.twig', ['me' => $this->me(), 'names' => People::NAMES, 'key' => $this->key]));
    }

    /** By Messenger, over the private channel of one user. */
    public function ring(string $name): Response
    {
        if (!in_array($name, People::NAMES, true)) {
            throw new NotFoundHttpException("there is nobody named $name");
        }
        $this->bus->dispatch(new Publish("private-user.$name", 'rung', ['by' => $this->me()]));

        return new Response(status: 204);
    }

    private function me(): string
    {
        return (string) $this->security->getUser()?->getUserIdentifier();
    }
}
