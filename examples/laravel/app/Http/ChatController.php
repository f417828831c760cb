<?php

declare(strict_types=1);

namespace App\Http;

use App\Events\MessageSent;
use App\Models\Message;
use App\Models\User;
use App\Notifications\Poked;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\RedirectResponse;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Support\Facades\Auth;
use Illuminate\View\View;

final class ChatController
{
    /** A name is enough here: whoever says it is that user. A site of yours has passwords. */
    public function login(Request $request): RedirectResponse
    {
        $name = trim((string) $request->validate(['name' => ['required', 'string', 'max:40']])['name']);
        Auth::login(User::query()->firstOrCreate(['name' => $name]));
        $request->session()->regenerate();

        return new RedirectResponse('/');
    }

    public function room(string $room = 'lobby'): View
    {
        return view('chat', [
            'room' => $room,
            'me' => Auth::user(),
            'messages' => Message::query()->where('room', $room)->with('user')->latest('id')->limit(50)->get()->reverse(),
        ]);
    }

    /** The page shows what its user has written at once, so the broadcast goes to the others: also to the same user's other tabs. */
    public function say(Request $request, string $room): JsonResponse
    {
        $text = (string) $request->validate(['text' => ['required', 'string', 'max:1000']])['text'];
        $message = Message::query()->create(['room' => $room, 'text' => $text, 'user_id' => Auth::id()]);
        broadcast(new MessageSent($message))->toOthers();

        return new JsonResponse($message->forPage());
    }

    public function poke(User $user): Response
    {
        $user->notify(new Poked(Auth::user()->name));

        return new Response(status: 204);
    }
}
