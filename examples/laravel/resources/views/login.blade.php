<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Chat</title>
<link rel="stylesheet" href="/chat.css">
<form method="post" action="/login" class="login">
  @csrf
  <h1>Chat</h1>
  <label>Your name <input name="name" maxlength="40" required autofocus></label>
  <button>Come in</button>
</form>
</html>
