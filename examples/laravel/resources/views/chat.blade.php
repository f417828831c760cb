<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="csrf-token" content="{{ csrf_token() }}">
<title>{{ $room }} – Chat</title>
<link rel="stylesheet" href="/chat.css">
<body data-room="{{ $room }}" data-user="{{ $me->id }}" data-name="{{ $me->name }}" data-key="{{ config('frankenphp-ws.key') }}">
<header>
  <h1>{{ $room }}</h1>
  <nav><a href="/rooms/lobby">lobby</a> <a href="/rooms/kitchen">kitchen</a></nav>
  <p id="windows"></p>
  <p id="state">connecting …</p>
</header>
<aside><h2>Here</h2><ul id="members"></ul></aside>
<main>
  <ol id="messages">
    @foreach ($messages as $message)
      <li><b>{{ $message->user->name }}</b> {{ $message->text }}</li>
    @endforeach
  </ol>
  <form id="say"><input name="text" maxlength="1000" autocomplete="off" placeholder="Write …" required autofocus><button>Send</button></form>
  <p id="typing"></p>
</main>
<script src="/js/pusher-js/dist/web/pusher.js"></script>
<script src="/js/laravel-echo/dist/echo.iife.js"></script>
<script src="/chat.js"></script>
</body>
</html>
