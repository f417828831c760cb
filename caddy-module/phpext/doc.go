// Package phpext is the PHP extension frankenphp_ws: the functions frankenphp_ws_*() and the exceptions of FrankenPHP\WebSocket.
// Importing it registers the extension with PHP. Its Go API is [BeforeStart].
//
// # No Go in a call
//
// A PHP function of the extension is C: it parses its parameters, calls the core through the C ABI (fws.h) and builds PHP values or
// throws. Zend leaves a function by longjmp when memory_limit is reached, wherever it allocates; across a frame of Go or Rust that
// leaks and corrupts. So no such frame is ever below an allocation of Zend's, and what the core lends to a call is kept where the next
// call, or the end of the request, frees it (reply.c).
//
// # What comes from where
//
//   - websocket.go declares the functions. FrankenPHP's generator (frankenphp extension-init) makes websocket.stub.php,
//     websocket.h and websocket.c (the module entry) of it.
//   - The generator's bodies call Go, which is what must not be, and do not compile for nullable parameters; phpdoc and request hooks it
//     does not know. internal/reconcile mends that.
//   - exceptions.stub.php is written by hand, since the generator's classes wrap Go objects.
//   - internal/arginfo makes websocket_arginfo.h and exceptions_arginfo.h of the two stubs. PHP's gen_stub.php is not used: each version
//     of PHP has another one.
//   - internal/reference makes of both stubs what users read: php/stubs/frankenphp_ws.php, and the rows of the tables in docs/php.md.
//   - generate.sh does all of this; generate.sh --check fails when something committed is stale.
//
// By hand, one noun a file:
//
//   - module.c: start and end of the module and of a request; its registration at each start of PHP
//   - fork.c: children that were forked, in which the functions refuse to run
//   - bell.c: the worker request that was started for events: claim, next event, failure, end
//   - visitor.c: a visitor's request that a worker's script gets in place of a bell
//   - connect.c: a request for a WebSocket that comes to PHP, whose body never ends
//   - event.c: an event as a PHP array
//   - cause.c: why PHP failed on an event
//   - budget.c: max_execution_time for each event
//   - reset.c, reset_*.c: what a handler leaves behind is undone before the next event
//   - clients.c, client.c, send.c, tags.c, information.c, values.c, timers.c, history.c, users.c, pusher.c: the commands
//   - batch.c: commands whose results come together
//   - run.c: the way of every command
//   - reply.c: strings and lists that the core returns
//   - errors.c: results of the core as exceptions
package phpext
