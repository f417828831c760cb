<?php

declare(strict_types=1);

header("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
header('Referrer-Policy: no-referrer');
header('Cache-Control: no-store');

$online = count(frankenphp_ws_presence('chat:here'));
?>
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
  <meta name="color-scheme" content="light dark">
  <title>Chat · frankenphp-ws</title>
  <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='%235b5bd6' d='M6 5h20a4 4 0 0 1 4 4v10a4 4 0 0 1-4 4H15l-7 6v-6H6a4 4 0 0 1-4-4V9a4 4 0 0 1 4-4z'/%3E%3C/svg%3E">
  <link rel="stylesheet" href="chat.css">
  <script src="resuming-socket.js" defer></script>
  <script src="chat.js" defer></script>
</head>
<body>
  <main id="door" class="door">
    <form id="join" class="card">
      <svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><path d="M6 5h20a4 4 0 0 1 4 4v10a4 4 0 0 1-4 4H15l-7 6v-6H6a4 4 0 0 1-4-4V9a4 4 0 0 1 4-4z"/></svg>
      <h1>Come in</h1>
      <p class="quiet"><?= match ($online) {
          0 => 'Nobody is here yet. Be the first.',
          1 => 'One person is here.',
          default => "$online people are here.",
      } ?></p>
      <label for="nickname">Your nickname</label>
      <input id="nickname" name="nickname" maxlength="24" required autofocus autocomplete="nickname" spellcheck="false" aria-describedby="refusal">
      <p id="refusal" class="refusal" role="alert"></p>
      <button id="enter" class="primary">Join the chat</button>
    </form>
  </main>

  <div id="room" class="room" hidden>
    <header class="bar">
      <svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><path d="M6 5h20a4 4 0 0 1 4 4v10a4 4 0 0 1-4 4H15l-7 6v-6H6a4 4 0 0 1-4-4V9a4 4 0 0 1 4-4z"/></svg>
      <h1>Chat</h1>
      <p id="server" class="quiet"></p>
      <p id="status" class="status" role="status" data-state="offline">Connecting…</p>
      <button id="who" class="who" type="button" aria-expanded="false" aria-controls="side"><span id="count">0</span> here</button>
    </header>
    <aside id="side" class="side" aria-labelledby="side-title">
      <h2 id="side-title">Who is here</h2>
      <ul id="people"></ul>
      <p class="quiet">Choose a name to write to that person alone.</p>
    </aside>
    <main class="talk">
      <ol id="log" class="log" role="log" aria-label="Messages" tabindex="0"></ol>
      <form id="composer" class="composer">
        <p id="addressee" class="addressee" hidden>
          <span>Only to <strong id="to"></strong></span>
          <button id="everyone" type="button">Write to everyone</button>
        </p>
        <div class="row">
          <textarea id="text" rows="1" maxlength="2000" required placeholder="Write a message" aria-label="Message"></textarea>
          <button id="send" class="primary">Send</button>
        </div>
      </form>
    </main>
  </div>
  <noscript><p class="card">This chat needs JavaScript.</p></noscript>
</body>
</html>
