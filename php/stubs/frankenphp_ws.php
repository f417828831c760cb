<?php

/**
 * What frankenphp-ws adds to PHP, for IDEs and static analysers. Never load this file: inside FrankenPHP the real ones exist.
 *
 * All functions may be called from any PHP code that runs inside FrankenPHP with a `websocket` route: workers of any kind
 * and ordinary requests; and, but for nextEvent() and failEvent(), on the command line, `frankenphp php-cli`, for the server that
 * runs on the same machine. Strings are binary-safe; text messages, tags, ids and reasons must be UTF-8.
 */

namespace FrankenPHP\WebSocket {
    /** The parent of all exceptions that the frankenphp_ws functions throw. */
    class Exception extends \RuntimeException
    {
    }

    /** An argument that cannot be meant: an empty tag, a forbidden close code, text that is not UTF-8, … */
    class InvalidArgumentException extends Exception
    {
    }

    /** No route has the name that was given: the message says which there are. */
    class UnknownRouteException extends InvalidArgumentException
    {
    }

    /** No `websocket` route is configured in this process, or it is shutting down. */
    class NotRunningException extends Exception
    {
    }

    /** The current request was not made by the server to deliver events. */
    class NoBellException extends Exception
    {
    }

    /** A search took longer than the server's option search_timeout allows. Nothing was changed or sent. */
    class SearchTimeoutException extends Exception
    {
    }

    /**
     * On the command line: the server was not reached by its control socket, or the connection was lost. The message says which path was
     * tried and why. Only where it says that the connection was lost may the call have been carried out.
     */
    class ControlException extends Exception
    {
    }
}

namespace {
    /**
     * Acknowledges the event handed out before and waits, for a bounded time, for the next one.
     *
     * Only within the handler given to frankenphp_handle_request(), in a worker that a `websocket` route names:
     *
     *     $handler = static function (): void {
     *         while (($event = frankenphp_ws_nextEvent()) !== null) {
     *             // …
     *         }
     *     };
     *     while (frankenphp_handle_request($handler)) {
     *     }
     *
     * An event counts as failed when the script dies of it or an exception leaves the handler; it is never handed out twice. What its
     * handler leaves behind (its session, ini settings, error handlers, output buffers …) is undone before the next one: docs/php.md.
     *
     * @return array{type: 'open', id: string, route: string, path: string, query: string, headers: array<string, string>, cookies: array<string, string>, ip: string, subprotocol: string}|array{type: 'message', id: string, route: string, data: string, binary: bool}|array{type: 'close', id: string, route: string, code: int, reason: string, clean: bool}|array{type: 'timer', timer: int, payload: string}|null
     *         null: return from the handler now. Header names are lower case, repeated ones are joined with ", ".
     *         The code of a close is that of the first close frame that either side sent, 1005 if it had none, 1006 if neither sent one;
     *         it is clean if both did.
     *
     * @throws \FrankenPHP\WebSocket\NoBellException     when the server did not start this request to deliver events
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_nextEvent(): ?array
    {
    }

    /**
     * Reports that the current event failed: it is counted and logged with the cause. After an open event the connection is closed with
     * 1011, after others the route's `on_error` applies. Once is enough: a second time changes nothing.
     *
     * @param string $cause what went wrong and where, for the log
     *
     * @throws \FrankenPHP\WebSocket\NoBellException when no event has been handed out in this request
     */
    function frankenphp_ws_failEvent(string $cause): void
    {
    }

    /**
     * The ids of the connected clients, in no order.
     *
     * @param string|null $route name of a route; null: all of them
     *
     * @return list<string>
     *
     * @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_getClients(?string $route = null): array
    {
    }

    /**
     * How many clients are connected.
     *
     * @param string|null $route name of a route; null: all of them
     *
     * @return int 0 or more
     *
     * @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_getClientsCount(?string $route = null): int
    {
    }

    /**
     * Sends a message to one client.
     *
     * @param string      $id     the client's id, from an event or frankenphp_ws_getClients()
     * @param string      $data   the message
     * @param string|null $route  send only if the client is on this route
     * @param bool        $binary a binary message instead of text
     *
     * @return bool false when it was not queued: the client's outbox is full, or it is gone or on another route
     *
     * @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when a text message is not UTF-8, or a message is larger than allowed
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_send(string $id, string $data, ?string $route = null, bool $binary = false): bool
    {
    }

    /**
     * Sends a message to every client.
     *
     * @param string      $data     the message
     * @param string|null $route    only to clients of this route; null: of all
     * @param bool        $binary   a binary message instead of text
     * @param string|null $exceptId not to this client
     *
     * @return int for how many clients it was queued
     *
     * @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when a text message is not UTF-8, or a message is larger than allowed
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_sendAll(string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
    {
    }

    /**
     * Starts the closing handshake with a client. From now on no event tells anything of it but its close event: what it has sent and no
     * event has told yet is thrown away.
     *
     * @param string $id     the client's id
     * @param int    $code   a code that may be sent: 1000 to 1003, 1007 to 1014, or 3000 to 4999
     * @param string $reason at most 123 bytes of UTF-8
     *
     * @return bool false when the client is gone
     *
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the code or the reason cannot be sent
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_close(string $id, int $code = 1000, string $reason = ''): bool
    {
    }

    /**
     * Adds a tag to a client. The tag goes when the client goes; a second time changes nothing.
     *
     * @param string $id  the client's id
     * @param string $tag 1 to 255 bytes of UTF-8
     *
     * @return bool false when the client is gone
     *
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is empty, too long or not UTF-8, or the client has too many
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_tagClient(string $id, string $tag): bool
    {
    }

    /**
     * Takes a tag from a client; one that it does not have is no error.
     *
     * @param string $id  the client's id
     * @param string $tag 1 to 255 bytes of UTF-8
     *
     * @return bool false when the client is gone
     *
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is empty, too long or not UTF-8
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_untagClient(string $id, string $tag): bool
    {
    }

    /**
     * The tags of a client, or all that are in use.
     *
     * @param string|null $id a client's id; null: every tag that any client has
     *
     * @return list<string> sorted; empty when the client is gone
     *
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_getTags(?string $id = null): array
    {
    }

    /**
     * The ids of the clients that have a tag, in no order.
     *
     * @param string $tag 1 to 255 bytes of UTF-8
     *
     * @return list<string>
     *
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is empty, too long or not UTF-8
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_getClientsByTag(string $tag): array
    {
    }

    /**
     * Sends a message to every client that has a tag.
     *
     * @param string      $tag      1 to 255 bytes of UTF-8
     * @param string      $data     the message
     * @param string|null $route    only to clients of this route; null: of all
     * @param bool        $binary   a binary message instead of text
     * @param string|null $exceptId not to this client
     *
     * @return int for how many clients it was queued
     *
     * @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is empty, too long or not UTF-8, a text message is not UTF-8, or a message is larger than allowed
     * @throws \FrankenPHP\WebSocket\NotRunningException
     */
    function frankenphp_ws_sendToTag(string $tag, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
    {
    }

    /**
     * Takes all its tags from a client.
     *
     * @param string $id the client's id
     * @return bool false when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_clearTagClient(string $id): bool
    {
    }

    /**
     * How many clients have a tag.
     *
     * @param string $tag 1 to 255 bytes of UTF-8
     * @return int 0 or more
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is not allowed
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_getTagCount(string $tag): int
    {
    }

    /**
     * Makes a tag, or a part of one, a piece of an expression that stands for exactly it, whatever it has in it: `*`, `|`, spaces, quotes. So
     * a name that a user has chosen cannot select other people: `'room_' . frankenphp_ws_quoteTag($room)`. It works without a server, too.
     *
     * @param string $tag at most 255 bytes of UTF-8
     * @return string the text in quotes, with `\"` and `\\` escaped
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the tag is too long or not UTF-8
     */
    function frankenphp_ws_quoteTag(string $tag): string
    {
    }

    /**
     * The ids of the clients whose tags fit an expression.
     *
     * `!` binds over `&` over `|`; parentheses group; `*` stands for any characters anywhere in a name; what is in quotes stands for
     * itself, with `\"` and `\\` escaped: `(premium|vip)&!banned&group_*&room_"a b"`. `&&` and `||` are the same as `&` and `|`. Quote what
     * is not yours: frankenphp_ws_quoteTag().
     *
     * @param string $expression at most 4096 bytes
     * @return list<string>
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the expression cannot be read, with the position and what was expected
     * @throws \FrankenPHP\WebSocket\SearchTimeoutException when it takes longer than the server's option search_timeout allows
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_getClientsByTagExpression(string $expression): array
    {
    }

    /**
     * Sends a message to every client whose tags fit an expression: see frankenphp_ws_getClientsByTagExpression().
     *
     * @param string $expression at most 4096 bytes
     * @param string $data the message; valid UTF-8 unless $binary
     * @param string|null $route only to clients of the route with this name; null: of all routes
     * @param bool $binary send a binary message instead of a text message
     * @param string|null $exceptId leave this client out, typically the one whose message is passed on
     * @return int to how many clients the message was queued
     * @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the expression cannot be read or a text message is not UTF-8
     * @throws \FrankenPHP\WebSocket\SearchTimeoutException when it takes longer than the server's option search_timeout allows
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_sendToTagExpression(string $expression, string $data, ?string $route = null, bool $binary = false, ?string $exceptId = null): int
    {
    }

    /**
     * Sets a value that all PHP threads of the server share. Replaces an earlier one and its expiry.
     *
     * @param string $key 1 to 1024 bytes
     * @param string $value any bytes
     * @param int $expireSeconds it is gone after so many seconds; 0: never
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the key or the expiry is not allowed
     * @throws \FrankenPHP\WebSocket\Exception when the store is full
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_global_set(string $key, string $value, int $expireSeconds = 0): void
    {
    }

    /**
     * Sets a value if the key has none: of several threads that try, one succeeds. What a lock needs.
     *
     * @param string $key 1 to 1024 bytes
     * @param string $value any bytes
     * @param int $expireSeconds it is gone after so many seconds; 0: never
     * @return bool whether it was set
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the key or the expiry is not allowed
     * @throws \FrankenPHP\WebSocket\Exception when the store is full
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_global_add(string $key, string $value, int $expireSeconds = 0): bool
    {
    }

    /**
     * A value; "" when the key has none, which frankenphp_ws_global_has() tells from an empty value.
     *
     * @param string $key the key
     * @return string any bytes
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_global_get(string $key): string
    {
    }

    /**
     * Whether a key has a value.
     *
     * @param string $key the key
     * @return bool
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_global_has(string $key): bool
    {
    }

    /**
     * Deletes a value.
     *
     * @param string $key the key
     * @return bool whether there was one
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_global_delete(string $key): bool
    {
    }

    /**
     * Adds to a value that is a decimal integer, 0 if the key has none, in one step for all threads. Its expiry stays.
     *
     * @param string $key 1 to 1024 bytes
     * @param int $by what to add, which may be negative
     * @return int the sum
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the value is not an integer of 64 bits, or would not be one afterwards
     * @throws \FrankenPHP\WebSocket\Exception when the store is full
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_global_increment(string $key, int $by = 1): int
    {
    }

    /**
     * How many seconds a value has left, rounded up.
     *
     * @param string $key the key
     * @return int|null -1 when it does not expire, null when the key has no value
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_global_ttl(string $key): ?int
    {
    }

    /** Operator of frankenphp_ws_searchStoredInformation(): equal. */
    const FRANKENPHP_WS_OP_EQ = 'eq';

    /** Operator of frankenphp_ws_searchStoredInformation(): not equal. */
    const FRANKENPHP_WS_OP_NEQ = 'neq';

    /** Operator of frankenphp_ws_searchStoredInformation(): begins with. */
    const FRANKENPHP_WS_OP_PREFIX = 'prefix';

    /** Operator of frankenphp_ws_searchStoredInformation(): ends with. */
    const FRANKENPHP_WS_OP_SUFFIX = 'suffix';

    /** Operator of frankenphp_ws_searchStoredInformation(): contains. */
    const FRANKENPHP_WS_OP_CONTAINS = 'contains';

    /** Operator of frankenphp_ws_searchStoredInformation(): equal, whatever the case. */
    const FRANKENPHP_WS_OP_IEQ = 'ieq';

    /** Operator of frankenphp_ws_searchStoredInformation(): begins with, whatever the case. */
    const FRANKENPHP_WS_OP_IPREFIX = 'iprefix';

    /** Operator of frankenphp_ws_searchStoredInformation(): ends with, whatever the case. */
    const FRANKENPHP_WS_OP_ISUFFIX = 'isuffix';

    /** Operator of frankenphp_ws_searchStoredInformation(): contains, whatever the case. */
    const FRANKENPHP_WS_OP_ICONTAINS = 'icontains';

    /** Operator of frankenphp_ws_searchStoredInformation(): fits a regular expression. */
    const FRANKENPHP_WS_OP_REGEX = 'regex';

    /**
     * Stores a value about a client. It goes with the client, when its close event has been handled.
     *
     * @param string $id the client's id
     * @param string $key 1 to 255 bytes of UTF-8; at most 256 keys a client
     * @param string $value any bytes; at most 4 MiB a client, keys included
     * @return bool false when the client is gone
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the key is not allowed
     * @throws \FrankenPHP\WebSocket\Exception when the client has as much as it may
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_setStoredInformation(string $id, string $key, string $value): bool
    {
    }

    /**
     * What is stored about a client; "" when nothing is, or the client is gone: frankenphp_ws_hasStoredInformation() tells that from an
     * empty value.
     *
     * @param string $id the client's id
     * @param string $key the key
     * @return string any bytes
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_getStoredInformation(string $id, string $key): string
    {
    }

    /**
     * Whether something is stored about a client under a key; not when the client is gone.
     *
     * @param string $id the client's id
     * @param string $key the key
     * @return bool
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_hasStoredInformation(string $id, string $key): bool
    {
    }

    /**
     * Deletes what is stored about a client under a key.
     *
     * @param string $id the client's id
     * @param string $key the key
     * @return bool whether there was something; false when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_deleteStoredInformation(string $id, string $key): bool
    {
    }

    /**
     * Deletes all that is stored about a client.
     *
     * @param string $id the client's id
     * @return bool false when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_clearStoredInformation(string $id): bool
    {
    }

    /**
     * The keys under which something is stored about a client, sorted.
     *
     * @param string $id the client's id
     * @return list<string> empty when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_listStoredInformationKeys(string $id): array
    {
    }

    /**
     * All that is stored about a client, by key. A key that is a decimal integer is an int, as in every PHP array.
     *
     * @param string $id the client's id
     * @return array<array-key, string> empty when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_getAllStoredInformation(string $id): array
    {
    }

    /**
     * The ids of the clients about whom something fitting is stored. A client without the key is not found.
     *
     * @param string $key the key
     * @param string $operator one of FRANKENPHP_WS_OP_EQ, NEQ, PREFIX, SUFFIX, CONTAINS, their forms that ignore the case (IEQ, IPREFIX, ISUFFIX, ICONTAINS), and REGEX (UTF-8, without backreferences and look-around)
     * @param string $value what is stored is compared with this
     * @param string|null $route only clients of the route with this name; null: of all routes
     * @return list<string>
     * @throws \FrankenPHP\WebSocket\UnknownRouteException when no route has this name: the message says which there are
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the operator is unknown, or the regular expression cannot be used
     * @throws \FrankenPHP\WebSocket\SearchTimeoutException when it takes longer than the server's option search_timeout allows
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_searchStoredInformation(string $key, string $operator, string $value, ?string $route = null): array
    {
    }

    /**
     * Cuts a connection, without a closing handshake or in the middle of one. From now on no event tells anything of it but its close
     * event, which has the code 1006, or that of a close() before.
     *
     * @param string $id the client's id
     * @return bool false when the client is gone and its connection has ended
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_killConnection(string $id): bool
    {
    }

    /**
     * All that is known of a client, until its close event has been handled.
     *
     * `id`, `route` (its name), `path` (of its request), `ip`, `subprotocol` ("" when none was agreed), `transport` ("tcp", "unix", "tls", "http2" or
     * "http3"), `connected` (bool), `connected_at` and `last_message_at` (seconds since 1970 as microtime(true) has them; the latter null
     * before the first message), `messages_received`, `bytes_received` (frame headers included), `messages_sent`, `bytes_sent`,
     * `messages_dropped` (for its being too slow), `messages_discarded` (that no event told, since the server had closed it),
     * `queued_bytes` (what waits to be sent to it), `ping_time` (as getClientPingTime()), `tags` (list, sorted).
     *
     * @param string $id the client's id
     * @return array<string, mixed>|null null when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_getClient(string $id): ?array
    {
    }

    /**
     * How long the answer to the last ping of a client took.
     *
     * @param string $id the client's id
     * @return int|null nanoseconds; 0 before the first answer; null when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_getClientPingTime(string $id): ?int
    {
    }

    /**
     * Pings a client at once, and then at an interval of its own, whether it is silent or not: that keeps getClientPingTime() up to date. A client that answers
     * nothing is cut.
     *
     * @param string $id the client's id
     * @param int $intervalMs milliseconds, 100 to 86400000 (a day); 0: as its route says, after so long a silence
     * @return bool false when the client is gone
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the interval is not allowed
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_enablePing(string $id, int $intervalMs = 0): bool
    {
    }

    /**
     * Pings a client no more.
     *
     * @param string $id the client's id
     * @return bool false when the client is gone
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_disablePing(string $id): bool
    {
    }

    /**
     * Sets a timer: when it is due, a worker gets an event of type "timer". Timers survive a reload of the server; those of a worker that
     * leaves with one are cleared. A repeating one never overtakes itself, and does not make up for what it missed. At most 100,000 are set at
     * a time, with payloads of 64 MiB in all.
     *
     * @param int $ms milliseconds from now, 1 to 31622400000 (366 days)
     * @param string $payload any bytes, at most 1 MiB: the `payload` of the event
     * @param bool $repeat again and again, each time after $ms
     * @param string|null $worker name of a worker that handles WebSocket events; null: the one whose event is being handled, or whose script this is
     * @param string|null $name 1 to 255 bytes of UTF-8: the worker has one timer of this name. Where it is set already, with the same time, payload and $repeat, it goes on and its number is returned; else this one takes its place
     * @return int the number of the timer, for clearTimer()
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when $ms is out of its range, the payload or the name is too long, there is no such worker, or none is named outside of one
     * @throws \FrankenPHP\WebSocket\Exception when there are as many timers as there may be, or too many events wait for PHP
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_setTimer(int $ms, string $payload, bool $repeat = false, ?string $worker = null, ?string $name = null): int
    {
    }

    /**
     * Clears a timer. One that is due already may still arrive.
     *
     * @param int $timer the number of the timer
     * @return bool false when it is not set (any more)
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_clearTimer(int $timer): bool
    {
    }

    /**
     * Gives a client another id. Its tags, stored information, route and the order of its events stay, and so does what is queued for it.
     *
     * @param string $id the client's id
     * @param string $newId 1 to 255 bytes of UTF-8
     * @return bool false when the client is gone, or the new id is taken
     * @throws \FrankenPHP\WebSocket\InvalidArgumentException when the new id is not allowed
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_renameConnection(string $id, string $newId): bool
    {
    }

    /**
     * The names of the routes, sorted.
     *
     * @return list<string>
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_listRoutes(): array
    {
    }

    /**
     * Calls that belong together, in one go: on the command line, many times faster than one by one. $calls is called at once, without
     * arguments, and what it returns is ignored.
     *
     * Within it, functions that change or send do not fail: the first that did is thrown at the end, with its position; all others are
     * carried out. In the server each is carried out as it is called. On the command line they are queued and return a placeholder at
     * once: true where they answer yes or no, 0 where they answer a number. Functions that ask answer as ever, after all that was called
     * before them. A wrong argument that is noticed before the call is queued, such as an id that is not UTF-8, throws at once.
     *
     *     $results = frankenphp_ws_batch(function () use ($ids) {
     *         foreach ($ids as $id) { frankenphp_ws_send($id, 'hello'); }
     *     });
     *
     * @param callable $calls called without arguments
     * @return list<bool|int|null> what the functions that change or send have returned, in the order of the calls; those that ask are not in it
     * @throws \FrankenPHP\WebSocket\Exception what the first call that failed would have thrown, with its position
     * @throws \FrankenPHP\WebSocket\NotRunningException when the WebSocket core does not run in this process
     */
    function frankenphp_ws_batch(callable $calls): array
    {
    }
}
