//go:build ignore

// The PHP functions of the extension, declared for FrankenPHP's generator: phpext/generate.sh makes websocket.stub.php,
// websocket_arginfo.h, websocket.h and websocket.c of this file. It is never compiled: the Go
// functions have no body, since those of PHP are written in C (bell.c, send.c, clients.c, client.c, tags.c, information.c, values.c, timers.c,
// batch.c, history.c, users.c, pusher.c). What stands above a
// declaration becomes its phpdoc in the stub.
package phpext

import "C"

// Acknowledges the event handed out before, and waits some milliseconds for the next one of the same connection.
//
// To be called in a loop, in the handler of a worker that the `websocket` directive names:
//
//	$handler = function () { while ($e = frankenphp_ws_nextEvent()) { … } };
//	while (frankenphp_handle_request($handler)) {}
//
// Null means that the handler is to return: nothing came, or a bounded number of events or time is used up, so that
// restarts and `max_requests` of the worker go on working. The call acknowledges the event handed out before, and so does a normal
// return of the handler. An event is failed when the handler ends otherwise: exit, a fatal error, a limit of memory or time, an
// exception that nobody caught. No event is handed out twice. Events of one
// connection come one at a time and in order: open, messages, close; "suspend" and "resume" between them. Each event has the whole of max_execution_time; the time spent
// waiting does not count.
// What a handler leaves behind (its session, ini settings, error handlers, output buffers …) is undone by the call, too: docs/php.md
//
// Every event has a `type`. "open", "message", "suspend", "resume" and "close" are of a connection, and have its `id` and the name of its `route`; a timer,
// a user who comes to a channel, and what becomes of a channel are of none.
//   - open: `path`; `query` (without "?", "" when there is none); `headers` (lowercase name => value, repeated ones joined with ", ");
//     `cookies` (name => value, decoded as in $_COOKIE, names unchanged); `ip`; `subprotocol` ("" when none was agreed);
//     `user` ("" when it is nobody's)
//   - message: `data` (any bytes; valid UTF-8 unless binary); `binary` (bool)
//   - suspend: the connection broke, and its client is waited for; what it is sent is kept for it: docs/resume.md
//   - resume: the client is back, and gets what it missed; with the same as open, of its new request
//   - close: `code` (RFC 6455, 7.1.5; 1005: the peer gave none, 1006: the connection was cut); `reason`; `clean` (bool: the closing
//     handshake was completed)
//   - timer: `timer` (its number, as setTimer() returned it), `payload`
//   - subscribe, unsubscribe, client_event: of a client of the Pusher protocol, on a route with `pusher` and `worker`; `tag` (the application's id, a
//     colon, and the channel), `user` ("" when it is nobody); with subscribe `info`, with client_event `event` and `data` (JSON); client_event
//     also in a worker that a webhook names: docs/pusher.md
//   - join, leave: `route`, `tag`, `user` and `info` of a user who has joined a channel with presence, or left it: docs/presence.md
//   - channel_occupied, channel_vacated, cache_miss, subscription_count: `route` and `tag` of a channel of the Pusher protocol, in a worker that a
//     webhook names; with subscription_count `count`: docs/pusher.md
//
// @return array{type: 'open'|'resume', id: string, route: string, path: string, query: string, headers: array<string, string>, cookies: array<string, string>, ip: string, subprotocol: string, user: string}|array{type: 'message', id: string, route: string, data: string, binary: bool}|array{type: 'suspend', id: string, route: string}|array{type: 'close', id: string, route: string, code: int, reason: string, clean: bool}|array{type: 'timer', timer: int, payload: string}|array{type: 'subscribe', id: string, route: string, tag: string, user: string, info: string}|array{type: 'unsubscribe', id: string, route: string, tag: string, user: string}|array{type: 'client_event', id: string, route: string, tag: string, user: string, event: string, data: string}|array{type: 'join'|'leave', route: string, tag: string, user: string, info: string}|array{type: 'channel_occupied'|'channel_vacated'|'cache_miss', route: string, tag: string}|array{type: 'subscription_count', route: string, tag: string, count: int}|null null: return from the handler now
// @throws \FrankenPHP\WebSocket\OutsideEventLoopException when the request was not started by the server for events of connections
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// export_php:function frankenphp_ws_nextEvent(): ?array
func frankenphp_ws_nextEvent() unsafe.Pointer

// Reports that the event handed out last has failed. It is counted and logged with the cause. After an open event the connection is
// closed with 1011; else the `on_error` option of its route decides what becomes of it. The loop goes on with the next nextEvent(). A second
// time changes nothing. For loops that catch what a handler throws.
//
// @param string $cause what went wrong, for the log
// @throws \FrankenPHP\WebSocket\OutsideEventLoopException when no event has been handed out in this request
//
// export_php:function frankenphp_ws_failEvent(string $cause): void
func frankenphp_ws_failEvent(cause *C.zend_string)

// The ids of the connected clients, in no order.
//
// @param string|null $route only those of the route with this name; null: of all routes
// @return list<string>
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: list
// export_php:function frankenphp_ws_getClients(?string $route = null): array
func frankenphp_ws_getClients(route *C.zend_string) unsafe.Pointer

// How many clients are connected.
//
// @param string|null $route only those of the route with this name; null: of all routes
// @return int 0 or more
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: count
// export_php:function frankenphp_ws_getClientsCount(?string $route = null): int
func frankenphp_ws_getClientsCount(route *C.zend_string) int64

// Sends a message to one client. Returns at once: true says that the message is queued, not that it has arrived.
//
// @param string $id the client's id
// @param string $data the message; valid UTF-8 unless $binary
// @param string|null $route only if the client is connected to the route with this name; null: whichever it is
// @param bool $binary send a binary message instead of a text message
// @return bool false: the client is gone (or not on that route), or its outbox is full (option `max_outbox`) and the message was dropped
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when a text message is not UTF-8 or the message is too large
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: send
// export_php:function frankenphp_ws_send(string $id, string $data, ?string $route = null, bool $binary = false): bool
func frankenphp_ws_send(id *C.zend_string, data *C.zend_string, route *C.zend_string, binary bool) bool

// Sends a message to every client.
//
// @param string $data the message; valid UTF-8 unless $binary
// @param string|null $route only to clients of the route with this name; null: of all routes
// @param bool $binary send a binary message instead of a text message
// @param string|null $exceptId leave this client out, typically the one whose message is passed on
// @return int to how many clients the message was queued
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when a text message is not UTF-8 or the message is too large
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: send
// export_php:function frankenphp_ws_sendAll(string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
func frankenphp_ws_sendAll(data *C.zend_string, route *C.zend_string, binary bool, exceptId *C.zend_string) int64

// Closes a connection with the closing handshake, after what is already queued for it. From now on no event tells anything of it but its
// close event: what it has sent and no event has told yet is thrown away.
//
// @param string $id the client's id
// @param int $code 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4)
// @param string $reason for the client; UTF-8, at most 123 bytes
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the code or the reason is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: close
// export_php:function frankenphp_ws_close(string $id, int $code = 1000, string $reason = ""): bool
func frankenphp_ws_close(id *C.zend_string, code int64, reason *C.zend_string) bool

// Gives a client a tag. A tag that it has already stays. Its tags go with the connection.
//
// Where the tag is a channel with a history (docs/history.md) and $since is given, a client that gets the tag now is sent what was sent to the
// tag after that, and then what is sent later: each message once, and in order.
//
// @param string $id the client's id
// @param string $tag 1 to 255 bytes of UTF-8
// @param string|null $since a position that frankenphp_ws_history() has given; "": all that is kept; null: nothing
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is not allowed, the client has as many tags as it may have, $since is no position, or no history is kept of the tag
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: tag
// export_php:function frankenphp_ws_tagClient(string $id, string $tag, ?string $since = null): bool
func frankenphp_ws_tagClient(id *C.zend_string, tag *C.zend_string, since *C.zend_string) bool

// Takes a tag from a client. A tag that it does not have is no error.
//
// @param string $id the client's id
// @param string $tag 1 to 255 bytes of UTF-8
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: untag
// export_php:function frankenphp_ws_untagClient(string $id, string $tag): bool
func frankenphp_ws_untagClient(id *C.zend_string, tag *C.zend_string) bool

// The tags of a client, or every tag that some client has.
//
// @param string|null $id the client's id; null: every tag in use
// @return list<string> sorted; empty when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: tags
// export_php:function frankenphp_ws_getTags(?string $id = null): array
func frankenphp_ws_getTags(id *C.zend_string) unsafe.Pointer

// The ids of the clients that have a tag, in no order.
//
// @param string $tag 1 to 255 bytes of UTF-8
// @return list<string>
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: list
// export_php:function frankenphp_ws_getClientsByTag(string $tag): array
func frankenphp_ws_getClientsByTag(tag *C.zend_string) unsafe.Pointer

// Sends a message to every client that has a tag.
//
// @param string $tag 1 to 255 bytes of UTF-8
// @param string $data the message; valid UTF-8 unless $binary
// @param string|null $route only to clients of the route with this name; null: of all routes
// @param bool $binary send a binary message instead of a text message
// @param string|null $exceptId leave this client out, typically the one whose message is passed on
// @return int to how many clients the message was queued
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when a text message is not UTF-8, the message is too large or the tag is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: send
// export_php:function frankenphp_ws_sendToTag(string $tag, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
func frankenphp_ws_sendToTag(tag *C.zend_string, data *C.zend_string, route *C.zend_string, binary bool, exceptId *C.zend_string) int64

// Takes all its tags from a client.
//
// @param string $id the client's id
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: clear_tags
// export_php:function frankenphp_ws_clearTagClient(string $id): bool
func frankenphp_ws_clearTagClient(id *C.zend_string) bool

// How many clients have a tag.
//
// @param string $tag 1 to 255 bytes of UTF-8
// @return int 0 or more
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: count
// export_php:function frankenphp_ws_getTagCount(string $tag): int
func frankenphp_ws_getTagCount(tag *C.zend_string) int64

// Makes a tag, or a part of one, a piece of an expression that stands for exactly it, whatever it has in it: `*`, `|`, spaces, quotes. So
// a name that a user has chosen cannot select other people: `'room_' . frankenphp_ws_quoteTag($room)`. It works without a server, too.
//
// @param string $tag at most 255 bytes of UTF-8
// @return string the text in quotes, with `\"` and `\\` escaped
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is too long or not UTF-8
//
// export_php:function frankenphp_ws_quoteTag(string $tag): string
func frankenphp_ws_quoteTag(tag *C.zend_string) unsafe.Pointer

// The ids of the clients whose tags fit an expression.
//
// `!` binds over `&` over `|`; parentheses group; `*` stands for any characters anywhere in a name; what is in quotes stands for itself,
// with `\"` and `\\` escaped: `(premium|vip)&!banned&group_*&room_"a b"`. `&&` and `||` are the same as `&` and `|`. Quote what is not
// yours: frankenphp_ws_quoteTag().
//
// @param string $expression at most 4096 bytes
// @return list<string>
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the expression cannot be read, with the position and what was expected
// @throws \FrankenPHP\WebSocket\SearchTimeoutException when it takes longer than the server's option search_timeout allows
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: list
// export_php:function frankenphp_ws_getClientsByTagExpression(string $expression): array
func frankenphp_ws_getClientsByTagExpression(expression *C.zend_string) unsafe.Pointer

// Sends a message to every client whose tags fit an expression: see frankenphp_ws_getClientsByTagExpression().
//
// @param string $expression at most 4096 bytes
// @param string $data the message; valid UTF-8 unless $binary
// @param string|null $route only to clients of the route with this name; null: of all routes
// @param bool $binary send a binary message instead of a text message
// @param string|null $exceptId leave this client out, typically the one whose message is passed on
// @return int to how many clients the message was queued
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the expression cannot be read or a text message is not UTF-8
// @throws \FrankenPHP\WebSocket\SearchTimeoutException when it takes longer than the server's option search_timeout allows
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: send
// export_php:function frankenphp_ws_sendToTagExpression(string $expression, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
func frankenphp_ws_sendToTagExpression(expression *C.zend_string, data *C.zend_string, route *C.zend_string, binary bool, exceptId *C.zend_string) int64

// Sets a value that all PHP threads of the server share. Replaces an earlier one and its expiry.
//
// @param string $key 1 to 1024 bytes
// @param string $value any bytes
// @param int $expireSeconds it is gone after so many seconds; 0: never
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the key or the expiry is not allowed
// @throws \FrankenPHP\WebSocket\Exception when the store is full
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: set
// export_php:function frankenphp_ws_global_set(string $key, string $value, int $expireSeconds = 0): void
func frankenphp_ws_global_set(key *C.zend_string, value *C.zend_string, expireSeconds int64)

// Sets a value if the key has none: of several threads that try, one succeeds. What a lock needs.
//
// @param string $key 1 to 1024 bytes
// @param string $value any bytes
// @param int $expireSeconds it is gone after so many seconds; 0: never
// @return bool whether it was set
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the key or the expiry is not allowed
// @throws \FrankenPHP\WebSocket\Exception when the store is full
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: add
// export_php:function frankenphp_ws_global_add(string $key, string $value, int $expireSeconds = 0): bool
func frankenphp_ws_global_add(key *C.zend_string, value *C.zend_string, expireSeconds int64) bool

// A value; "" when the key has none, which frankenphp_ws_global_has() tells from an empty value.
//
// @param string $key the key
// @return string any bytes
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: get
// export_php:function frankenphp_ws_global_get(string $key): string
func frankenphp_ws_global_get(key *C.zend_string) unsafe.Pointer

// Whether a key has a value.
//
// @param string $key the key
// @return bool
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: expiry
// export_php:function frankenphp_ws_global_has(string $key): bool
func frankenphp_ws_global_has(key *C.zend_string) bool

// Deletes a value.
//
// @param string $key the key
// @return bool whether there was one
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: delete
// export_php:function frankenphp_ws_global_delete(string $key): bool
func frankenphp_ws_global_delete(key *C.zend_string) bool

// Adds to a value that is a decimal integer, 0 if the key has none, in one step for all threads. Its expiry stays.
//
// @param string $key 1 to 1024 bytes
// @param int $by what to add, which may be negative
// @return int the sum
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the value is not an integer of 64 bits, or would not be one afterwards
// @throws \FrankenPHP\WebSocket\Exception when the store is full
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: increment
// export_php:function frankenphp_ws_global_increment(string $key, int $by = 1): int
func frankenphp_ws_global_increment(key *C.zend_string, by int64) int64

// How many seconds a value has left, rounded up.
//
// @param string $key the key
// @return int|null -1 when it does not expire, null when the key has no value
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: expiry
// export_php:function frankenphp_ws_global_ttl(string $key): ?int
func frankenphp_ws_global_ttl(key *C.zend_string) int64

// export_php:const
const FRANKENPHP_WS_OP_EQ = "eq"

// export_php:const
const FRANKENPHP_WS_OP_NEQ = "neq"

// export_php:const
const FRANKENPHP_WS_OP_PREFIX = "prefix"

// export_php:const
const FRANKENPHP_WS_OP_SUFFIX = "suffix"

// export_php:const
const FRANKENPHP_WS_OP_CONTAINS = "contains"

// export_php:const
const FRANKENPHP_WS_OP_IEQ = "ieq"

// export_php:const
const FRANKENPHP_WS_OP_IPREFIX = "iprefix"

// export_php:const
const FRANKENPHP_WS_OP_ISUFFIX = "isuffix"

// export_php:const
const FRANKENPHP_WS_OP_ICONTAINS = "icontains"

// export_php:const
const FRANKENPHP_WS_OP_REGEX = "regex"

// Stores a value about a client. It goes with the client, when its close event has been handled.
//
// @param string $id the client's id
// @param string $key 1 to 255 bytes of UTF-8; at most 256 keys a client
// @param string $value any bytes; at most 4 MiB a client, keys included
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the key is not allowed
// @throws \FrankenPHP\WebSocket\Exception when the client has as much as it may
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: set_information
// export_php:function frankenphp_ws_setStoredInformation(string $id, string $key, string $value): bool
func frankenphp_ws_setStoredInformation(id *C.zend_string, key *C.zend_string, value *C.zend_string) bool

// What is stored about a client; "" when nothing is, or the client is gone: frankenphp_ws_hasStoredInformation() tells that from an empty
// value.
//
// @param string $id the client's id
// @param string $key the key
// @return string any bytes
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: get_information
// export_php:function frankenphp_ws_getStoredInformation(string $id, string $key): string
func frankenphp_ws_getStoredInformation(id *C.zend_string, key *C.zend_string) unsafe.Pointer

// Whether something is stored about a client under a key; not when the client is gone.
//
// @param string $id the client's id
// @param string $key the key
// @return bool
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: get_information
// export_php:function frankenphp_ws_hasStoredInformation(string $id, string $key): bool
func frankenphp_ws_hasStoredInformation(id *C.zend_string, key *C.zend_string) bool

// Deletes what is stored about a client under a key.
//
// @param string $id the client's id
// @param string $key the key
// @return bool whether there was something; false when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: delete_information
// export_php:function frankenphp_ws_deleteStoredInformation(string $id, string $key): bool
func frankenphp_ws_deleteStoredInformation(id *C.zend_string, key *C.zend_string) bool

// Deletes all that is stored about a client.
//
// @param string $id the client's id
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: clear_information
// export_php:function frankenphp_ws_clearStoredInformation(string $id): bool
func frankenphp_ws_clearStoredInformation(id *C.zend_string) bool

// The keys under which something is stored about a client, sorted.
//
// @param string $id the client's id
// @return list<string> empty when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: all_information
// export_php:function frankenphp_ws_listStoredInformationKeys(string $id): array
func frankenphp_ws_listStoredInformationKeys(id *C.zend_string) unsafe.Pointer

// All that is stored about a client, by key. A key that is a decimal integer is an int, as in every PHP array.
//
// @param string $id the client's id
// @return array<array-key, string> empty when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: all_information
// export_php:function frankenphp_ws_getAllStoredInformation(string $id): array
func frankenphp_ws_getAllStoredInformation(id *C.zend_string) unsafe.Pointer

// The ids of the clients about whom something fitting is stored. A client without the key is not found.
//
// @param string $key the key
// @param string $operator one of FRANKENPHP_WS_OP_EQ, NEQ, PREFIX, SUFFIX, CONTAINS, their forms that ignore the case (IEQ, IPREFIX, ISUFFIX, ICONTAINS), and REGEX (UTF-8, without backreferences and look-around)
// @param string $value what is stored is compared with this
// @param string|null $route only clients of the route with this name; null: of all routes
// @return list<string>
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the operator is unknown, or the regular expression cannot be used
// @throws \FrankenPHP\WebSocket\SearchTimeoutException when it takes longer than the server's option search_timeout allows
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: search_information
// export_php:function frankenphp_ws_searchStoredInformation(string $key, string $operator, string $value, ?string $route = null): array
func frankenphp_ws_searchStoredInformation(key *C.zend_string, operator *C.zend_string, value *C.zend_string, route *C.zend_string) unsafe.Pointer

// Cuts a connection, without a closing handshake or in the middle of one. From now on no event tells anything of it but its close event,
// which has the code 1006, or that of a close() before.
//
// @param string $id the client's id
// @return bool false when the client is gone and its connection has ended
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: kill
// export_php:function frankenphp_ws_killConnection(string $id): bool
func frankenphp_ws_killConnection(id *C.zend_string) bool

// All that is known of a client, until its close event has been handled.
//
// `id`, `route` (its name), `path` (of its request), `ip`, `subprotocol` ("" when none was agreed), `transport` ("tcp", "unix", "tls", "http2" or
// "http3"), `user` ("" when it is nobody's), `connected` (bool), `suspended` (bool: its connection broke, and it is waited for), `connected_at` and `last_message_at` (seconds since 1970 as microtime(true) has them; the latter null
// before the first message), `messages_received`, `bytes_received` (frame headers included), `messages_sent`, `bytes_sent`,
// `messages_dropped` (for its being too slow), `messages_discarded` (that no event told, since the server had closed it), `queued_bytes`
// (what waits to be sent to it), `ping_time` (as getClientPingTime()), `tags` (list, sorted).
//
// @param string $id the client's id
// @return array{id: string, route: string, path: string, ip: string, subprotocol: string, transport: string, user: string, connected: bool, suspended: bool, connected_at: float, last_message_at: float|null, messages_received: int, bytes_received: int, messages_sent: int, bytes_sent: int, messages_dropped: int, messages_discarded: int, queued_bytes: int, ping_time: int, tags: list<string>}|null null when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: client
// export_php:function frankenphp_ws_getClient(string $id): ?array
func frankenphp_ws_getClient(id *C.zend_string) unsafe.Pointer

// How long the answer to the last ping of a client took.
//
// @param string $id the client's id
// @return int|null nanoseconds; 0 before the first answer; null when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: ping_time
// export_php:function frankenphp_ws_getClientPingTime(string $id): ?int
func frankenphp_ws_getClientPingTime(id *C.zend_string) int64

// Pings a client at once, and then at an interval of its own, whether it is silent or not: that keeps getClientPingTime() up to date. A client that answers
// nothing is cut.
//
// @param string $id the client's id
// @param int $intervalMs milliseconds, 100 to 86400000 (a day); 0: as its route says, after so long a silence
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the interval is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: ping
// export_php:function frankenphp_ws_enablePing(string $id, int $intervalMs = 0): bool
func frankenphp_ws_enablePing(id *C.zend_string, intervalMs int64) bool

// Pings a client no more.
//
// @param string $id the client's id
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: ping
// export_php:function frankenphp_ws_disablePing(string $id): bool
func frankenphp_ws_disablePing(id *C.zend_string) bool

// Sets a timer: when it is due, a worker gets an event of type "timer". Timers survive a reload of the server; those of a worker that
// leaves with one are cleared. A repeating one never overtakes itself, and does not make up for what it missed. At most 100,000 are set at
// a time, with payloads of 64 MiB in all.
//
// @param int $ms milliseconds from now, 1 to 31622400000 (366 days)
// @param string $payload any bytes, at most 1 MiB: the `payload` of the event
// @param bool $repeat again and again, each time after $ms
// @param string|null $worker name of a worker that handles WebSocket events; null: the one whose event is being handled, or whose script this is
// @param string|null $name 1 to 255 bytes of UTF-8: the worker has one timer of this name. Where it is set already, with the same time, payload and $repeat, it goes on and its number is returned; else this one takes its place
// @return int the number of the timer, for clearTimer()
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when $ms is out of its range, the payload or the name is too long, there is no such worker, or none is named outside of one
// @throws \FrankenPHP\WebSocket\Exception when there are as many timers as there may be, or too many events wait for PHP
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: set_timer
// export_php:function frankenphp_ws_setTimer(int $ms, string $payload, bool $repeat = false, ?string $worker = null, ?string $name = null): int
func frankenphp_ws_setTimer(ms int64, payload *C.zend_string, repeat bool, worker *C.zend_string, name *C.zend_string) int64

// Clears a timer. One that is due already may still arrive.
//
// @param int $timer the number of the timer
// @return bool false when it is not set (any more)
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: clear_timer
// export_php:function frankenphp_ws_clearTimer(int $timer): bool
func frankenphp_ws_clearTimer(timer int64) bool

// Gives a client another id. Its tags, stored information, route and the order of its events stay, and so does what is queued for it.
//
// @param string $id the client's id
// @param string $newId 1 to 255 bytes of UTF-8
// @return bool false when the client is gone, or the new id is taken
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the new id is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: rename
// export_php:function frankenphp_ws_renameConnection(string $id, string $newId): bool
func frankenphp_ws_renameConnection(id *C.zend_string, newId *C.zend_string) bool

// The names of the routes, sorted.
//
// @return list<string>
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: routes
// export_php:function frankenphp_ws_listRoutes(): array
func frankenphp_ws_listRoutes() unsafe.Pointer

// Calls that belong together, in one go: on the command line, many times faster than one by one. $calls is called at once, without
// arguments, and what it returns is ignored.
//
// Within it, functions that change or send do not fail: the first that did is thrown at the end, with its position; all others are
// carried out. In the server each is carried out as it is called. On the command line they are queued and return a placeholder at
// once: true where they answer yes or no, 0 where they answer a number. Functions that ask answer as ever, after all that was called
// before them. A wrong argument that is noticed before the call is queued, such as an id that is not UTF-8, throws at once.
//
//	$results = frankenphp_ws_batch(function () use ($ids) {
//		foreach ($ids as $id) { frankenphp_ws_send($id, 'hello'); }
//	});
//
// @param callable $calls called without arguments
// @return list<bool|int|null> what the functions that change or send have returned, in the order of the calls; those that ask are not in it
// @throws \FrankenPHP\WebSocket\Exception what the first call that failed would have thrown, with its position
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// export_php:function frankenphp_ws_batch(callable $calls): array
func frankenphp_ws_batch(calls *C.zval) unsafe.Pointer

// What was sent to a tag that is a channel with a history: docs/history.md.
//
// @param string $tag 1 to 255 bytes of UTF-8
// @param int $limit the most messages; 0: all
// @param string|null $since only what was sent after this position, the first messages of it; "": from the first message on that is kept; null: the last messages
// @param string|null $route name of the route; null: the only one that keeps a history of the tag
// @return array{position: string, complete: bool, messages: list<array{position: string, offset: int, time: float, data: string, binary: bool}>} `position` is behind the last message that was sent; `complete` says that nothing is missing before the first of `messages`
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when no history is kept of the tag, several routes keep one, or $since is no position
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: history
// export_php:function frankenphp_ws_history(string $tag, int $limit = 0, ?string $since = null, ?string $route = null): array
func frankenphp_ws_history(tag *C.zend_string, limit int64, since *C.zend_string, route *C.zend_string) unsafe.Pointer

// Forgets what was sent to a tag that is a channel with a history.
//
// @param string $tag 1 to 255 bytes of UTF-8
// @param string|null $route name of the route; null: the only one that keeps a history of the tag
// @return bool false when nothing was kept
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when no history is kept of the tag, or several routes keep one
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: clear_history
// export_php:function frankenphp_ws_clearHistory(string $tag, ?string $route = null): bool
func frankenphp_ws_clearHistory(tag *C.zend_string, route *C.zend_string) bool

// Says whose a client is. A user may have many clients: tabs, devices. docs/presence.md
//
// @param string $id the client's id
// @param string|null $user what the application knows the user by, 1 to 255 bytes of UTF-8; null: the client is nobody's
// @param string $info what channels with presence tell of the user, any bytes, at most 4096
// @return bool false when the client is gone
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the user or the information is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: set_user
// export_php:function frankenphp_ws_setUser(string $id, ?string $user, string $info = ""): bool
func frankenphp_ws_setUser(id *C.zend_string, user *C.zend_string, info *C.zend_string) bool

// The ids of the clients of a user, in no order.
//
// @param string $user 1 to 255 bytes of UTF-8
// @param string|null $route only those of the route with this name; null: of all routes
// @return list<string>
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the user is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: list
// export_php:function frankenphp_ws_getClientsByUser(string $user, ?string $route = null): array
func frankenphp_ws_getClientsByUser(user *C.zend_string, route *C.zend_string) unsafe.Pointer

// Sends a message to every client of a user.
//
// @param string $user 1 to 255 bytes of UTF-8
// @param string $data the message; valid UTF-8 unless $binary
// @param string|null $route only to clients of the route with this name; null: of all routes
// @param bool $binary send a binary message instead of a text message
// @param string|null $exceptId leave this client out, typically the one whose message is passed on
// @return int to how many clients the message was queued
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when a text message is not UTF-8 or the user is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: send
// export_php:function frankenphp_ws_sendToUser(string $user, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
func frankenphp_ws_sendToUser(user *C.zend_string, data *C.zend_string, route *C.zend_string, binary bool, exceptId *C.zend_string) int64

// Starts the closing handshake with every client of a user. Who may connect again is for `authorize` to say.
//
// @param string $user 1 to 255 bytes of UTF-8
// @param int $code 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455, 7.4)
// @param string $reason at most 123 bytes of UTF-8
// @param string|null $route only the clients of the route with this name; null: of all routes
// @return int how many clients
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when the user, the code or the reason is not allowed
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: disconnect_user
// export_php:function frankenphp_ws_disconnectUser(string $user, int $code = 1000, string $reason = "", ?string $route = null): int
func frankenphp_ws_disconnectUser(user *C.zend_string, code int64, reason *C.zend_string, route *C.zend_string) int64

// Who is in a channel with presence, sorted by user: docs/presence.md.
//
// @param string $tag 1 to 255 bytes of UTF-8
// @param string|null $route name of the route; null: the only one that has presence for the tag
// @return list<array{user: string, info: string, connections: int}> `connections` is 0 while the user may come back in the channel's time of grace
// @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when no route has presence for the tag, or several have
// @throws \FrankenPHP\WebSocket\SearchTimeoutException when it takes longer than the server's option search_timeout allows
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: presence
// export_php:function frankenphp_ws_presence(string $tag, ?string $route = null): array
func frankenphp_ws_presence(tag *C.zend_string, route *C.zend_string) unsafe.Pointer

// Sends an event to channels of an application that speaks the Pusher protocol: docs/pusher.md.
//
// @param string|list<string> $channels the channels' names
// @param string $event the event's name
// @param string $data the event's data, usually JSON; valid UTF-8
// @param string|null $exceptSocketId leave the connection with this socket_id out
// @param string|null $app the application's id; null: the only one
// @return int to how many clients of this server the event was queued
// @throws \FrankenPHP\WebSocket\InvalidArgumentException when no route has the application, when there are several and none was named, or when the event is not as the protocol has it: the message says why
// @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
//
// command: publish
// export_php:function frankenphp_ws_publish(mixed $channels, string $event, string $data, ?string $exceptSocketId = null, ?string $app = null): int
func frankenphp_ws_publish(channels *C.zval, event *C.zend_string, data *C.zend_string, exceptSocketId *C.zend_string, app *C.zend_string) int64
