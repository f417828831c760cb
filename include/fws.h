/*
 * The C ABI of frankenphp-ws.
 *
 * The law:
 *  - A function that can fail returns fws_result. Outputs are written only on FWS_OK, unless said otherwise.
 *  - Bytes are pointer and length. Input bytes are copied before the function returns. (NULL, 0) stands for an optional one that is
 *    absent, or for no bytes. Strings are UTF-8 and need no NUL.
 *  - Every function may be called from any thread, and none unwinds. A handle (fws_bell, fws_reply, ...) is used by one thread at a
 *    time. What blocks says so.
 *  - The library never calls its caller: fws_core_fd becomes readable when there is something to take.
 */

#ifndef FWS_H
#define FWS_H

/* Generated from crates/ffi by cbindgen: `make header`. Do not edit. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// Kind of a result of a batch: of a command that answers nothing.
#define FWS_RESULT_NOTHING 0

// Kind of a result of a batch: yes or no, 1 or 0.
#define FWS_RESULT_FLAG 1

// Kind of a result of a batch: a number.
#define FWS_RESULT_NUMBER 2

// Outcome for fws_bell_end: the request was served without an error.
#define FWS_BELL_SERVED 0

// Outcome for fws_bell_end: the request failed.
#define FWS_BELL_FAILED 1

// Outcome for fws_bell_end: the request never reached PHP.
#define FWS_BELL_ABANDONED 2

// The kind of fws_event: the connection was opened; always its first event.
#define FWS_EVENT_OPEN 1

// The kind of fws_event: a message came.
#define FWS_EVENT_MESSAGE 2

// The kind of fws_event: the connection is closed; always its last event.
#define FWS_EVENT_CLOSE 3

// The kind of fws_event: a timer is due. It is of no connection: `id` and `route` are empty.
#define FWS_EVENT_TIMER 4

// The kind of fws_event: a user has joined a channel with presence. It is of no connection: `id` is empty.
#define FWS_EVENT_JOIN 5

// The kind of fws_event: a user has left a channel with presence. It is of no connection: `id` is empty.
#define FWS_EVENT_LEAVE 6

// The kind of fws_event: the connection broke, and its client is waited for.
#define FWS_EVENT_SUSPEND 7

// The kind of fws_event: the client is back, on another connection with a request of its own.
#define FWS_EVENT_RESUME 8

// The kind of fws_event: a client of the Pusher protocol has subscribed to a channel.
#define FWS_EVENT_SUBSCRIBE 9

// The kind of fws_event: it has left a channel, or its connection has ended.
#define FWS_EVENT_UNSUBSCRIBE 10

// The kind of fws_event: it has sent an event to the others in a channel.
#define FWS_EVENT_CLIENT_EVENT 11

// The kind of fws_event: a channel of the Pusher protocol has its first subscriber. It is of no connection: `id` is empty.
#define FWS_EVENT_CHANNEL_OCCUPIED 12

// The kind of fws_event: a channel of the Pusher protocol has lost its last subscriber. It is of no connection: `id` is empty.
#define FWS_EVENT_CHANNEL_VACATED 13

// The kind of fws_event: a client has subscribed to a cache channel that keeps no event. It is of no connection: `id` is empty.
#define FWS_EVENT_CACHE_MISS 14

// The kind of fws_event: a channel of the Pusher protocol has another number of subscribers. It is of no connection: `id` is empty.
#define FWS_EVENT_SUBSCRIPTION_COUNT 15

// Target: all clients.
#define FWS_TO_ALL 0

// Target: the client of `id`.
#define FWS_TO_CLIENT 1

// Target: the clients with `tag`.
#define FWS_TO_TAG 2

// Target: the clients whose tags fit `expression`: `!` over `&` over `|`, parentheses, `*` for any characters in a name, quotes around any
// characters that stand for themselves (see fws_tag_quote).
#define FWS_TO_EXPRESSION 3

// Target: the clients of `user`.
#define FWS_TO_USER 4

// Interval of FWS_PING: as the client's route says.
#define FWS_PING_ROUTE 0

// Interval of FWS_PING: never.
#define FWS_PING_OFF 4294967295

// Answer to FWS_SEND to one client: the message waits in its outbox, or is on its way.
#define FWS_SENT_QUEUED 0

// Answer to FWS_SEND to one client: its outbox is full; the message was dropped and counted.
#define FWS_SENT_DROPPED 1

// Answer to FWS_SEND to one client: there is no such client, or not on that route.
#define FWS_SENT_GONE 2

// Answer to FWS_RENAME: the client has the new id.
#define FWS_RENAMED_DONE 0

// Answer to FWS_RENAME: there is no such client.
#define FWS_RENAMED_GONE 1

// Answer to FWS_RENAME: another client has the new id, or it is reserved for one.
#define FWS_RENAMED_TAKEN 2

// The version of this ABI: changed when a function or a struct changes its meaning.
#define FWS_ABI_VERSION 3

// Flag of fws_handshake_new: the request is an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220) whose `:protocol` is
// `websocket`. HTTP/1.1 has none: without this flag a CONNECT is refused.
#define FWS_EXTENDED_CONNECT 1

// Transport for fws_handshake_enter and fws_pipe_open: HTTP/1.1 on an encrypted connection.
#define FWS_TRANSPORT_TLS 1

// Transport for fws_handshake_enter and fws_pipe_open: a stream of HTTP/2.
#define FWS_TRANSPORT_HTTP2 2

// Transport for fws_handshake_enter and fws_pipe_open: a stream of HTTP/3. Its client is pinged at least every 20 seconds.
#define FWS_TRANSPORT_HTTP3 3

// Transport for fws_handshake_enter and fws_pipe_open: a plain connection; of a pipe, one that has no descriptor of its own.
#define FWS_TRANSPORT_TCP 4

// Transport for fws_handshake_enter and fws_pipe_open: the same over a Unix socket.
#define FWS_TRANSPORT_UNIX 5

// Bit of a pipe's state: there are (more) bytes to take.
#define FWS_PIPE_OUTPUT 1

// Bit of a pipe's state: bytes that were not consumed can be fed again. Told once, by fws_pipes_dirty.
#define FWS_PIPE_RESUME 2

// Bit of a pipe's state: no bytes will follow those that can be taken now. Behind them the sending side is to be closed; the client
// is still to be read.
#define FWS_PIPE_FINISHED 4

// Bit of a pipe's state: the connection is over. It is to be closed once the last bytes are sent, or after a short time if the client
// does not take them.
#define FWS_PIPE_OVER 8

// How for fws_pipe_close: the client sends no more, or reading from it failed. The id stays valid.
#define FWS_PIPE_END 0

// How for fws_pipe_close: the host is through with the pipe. A connection that is not over is cut, and the id is stale from now on.
#define FWS_PIPE_FREE 1

// How a call went. Codes are only ever added.
enum fws_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is done.
  FWS_OK = 0,
  // There is nothing (more) to take, or the client that was asked about is gone. Not an error.
  FWS_END = 1,
  // A required pointer is NULL.
  FWS_ERR_NULL = 2,
  // A bug in the core; it was caught.
  FWS_ERR_PANIC = 3,
  // The core is not started.
  FWS_ERR_NOT_RUNNING = 4,
  // A configuration was refused; the error says where and why.
  FWS_ERR_CONFIG = 5,
  // No client has this id. Not returned any more: a client that is gone is no error.
  FWS_ERR_UNKNOWN_CLIENT = 6,
  // No route has this name; the error says which there are.
  FWS_ERR_UNKNOWN_ROUTE = 7,
  // A text message, id, tag, reason or name that is not UTF-8.
  FWS_ERR_INVALID_UTF8 = 8,
  // A tag that is empty or longer than 255 bytes.
  FWS_ERR_INVALID_TAG = 9,
  // A close code that must not be sent.
  FWS_ERR_INVALID_CLOSE_CODE = 10,
  // A close reason longer than 123 bytes.
  FWS_ERR_REASON_TOO_LONG = 11,
  // A message longer than the max_outbox of the client's route.
  FWS_ERR_TOO_LARGE = 12,
  // The query string carries no live nonce.
  FWS_ERR_NO_BELL = 13,
  // A system call failed.
  FWS_ERR_IO = 14,
  // The client has as many tags as it may.
  FWS_ERR_TOO_MANY_TAGS = 15,
  // A generation or handle that is no longer valid.
  FWS_ERR_STALE = 16,
  // A tag expression or regular expression that cannot be read; the error says where and what was expected.
  FWS_ERR_SYNTAX = 17,
  // A key that is empty or too long: 1024 bytes for global values, 255 for stored information.
  FWS_ERR_INVALID_KEY = 18,
  // The key-value store, or the stored information of a client, has no room, or no timer can be set.
  FWS_ERR_FULL = 19,
  // A value that is not an integer of 64 bits, or would not be one after an increment.
  FWS_ERR_NOT_AN_INTEGER = 20,
  // A number that is out of its range.
  FWS_ERR_OUT_OF_RANGE = 21,
  // An id that is empty or longer than 255 bytes.
  FWS_ERR_INVALID_ID = 22,
  // No worker that handles WebSocket events has this name.
  FWS_ERR_UNKNOWN_WORKER = 23,
  // Another client, or another handshake, has this id.
  FWS_ERR_ID_TAKEN = 24,
  // A sub-protocol that the client did not offer, or that no worker of the route handles.
  FWS_ERR_SUBPROTOCOL = 25,
  // A command in JSON that cannot be read; the error says where and why.
  FWS_ERR_COMMAND = 26,
  // No server answers at the control socket; the error says where.
  FWS_ERR_NO_SERVER = 27,
  // The control socket is not for this user, or its place is not to be trusted; the error says where.
  FWS_ERR_CONTROL_DENIED = 28,
  // The server at the control socket is of another version; the error says where.
  FWS_ERR_CONTROL_VERSION = 29,
  // The connection to the server was lost: it is unknown whether the command was carried out; the error says where.
  FWS_ERR_CONTROL_LOST = 30,
  // A command that is too long for the control socket.
  FWS_ERR_COMMAND_TOO_LONG = 31,
  // There are several servers, and it is not certain which one is meant; the error says where.
  FWS_ERR_CONTROL_AMBIGUOUS = 32,
  // A timer's payload of more than 1 MiB.
  FWS_ERR_PAYLOAD_TOO_LONG = 33,
  // A client that is gone has this id until its close event has been handled.
  FWS_ERR_ID_LEAVING = 34,
  // A search took longer than search_timeout. Nothing was changed or sent.
  FWS_ERR_SEARCH_TIMEOUT = 35,
  // A command ended since its flag `interrupt` was set. Nothing was changed or sent.
  FWS_ERR_INTERRUPTED = 36,
  // A text that is no position of a history.
  FWS_ERR_POSITION = 37,
  // No route keeps a history of the tag, or several do and none was named.
  FWS_ERR_NO_HISTORY = 38,
  // No route has presence for the tag, or several have and none was named.
  FWS_ERR_NO_PRESENCE = 39,
  // A user that is empty or longer than 255 bytes.
  FWS_ERR_INVALID_USER = 40,
  // More than 4096 bytes of information about a user.
  FWS_ERR_USER_INFO_TOO_LONG = 41,
  // Other servers of the cluster are needed, and cannot be asked, or did not answer in time.
  FWS_ERR_CLUSTER = 42,
  // No route has the application of the Pusher protocol, or there are several and none was named.
  FWS_ERR_NO_APP = 43,
  // An event that the Pusher protocol does not have; the error says why.
  FWS_ERR_INVALID_EVENT = 44,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fws_result fws_result;
#else
typedef int32_t fws_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a command does. Below each stands which fields of fws_command it reads, apart from `kind`, and what its answer is. A field in
// brackets may be left out.
//
// A client that is gone is no error: a command that does something to it answers 0 (FWS_SEND and FWS_RENAME: FWS_SENT_GONE,
// FWS_RENAMED_GONE), and a command that asks about it returns FWS_END.
enum fws_command_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Queues a message to clients: `target` with its field, `data`, `binary`, [`route`], [`except_id`]. Text is UTF-8. Answer for
  // FWS_TO_CLIENT: `number` is FWS_SENT_…; else `number` is to how many clients it was queued. FWS_ERR_TOO_LARGE: the message to one
  // client is longer than the max_outbox of its route. A message to several leaves such clients out.
  FWS_SEND = 1,
  // The ids of clients: `target` with its field, [`route`]. Answer: `reply` has the ids, in no order.
  FWS_LIST = 2,
  // How many clients there are: `target` with its field, [`route`]. Answer: `number`.
  FWS_COUNT = 3,
  // Starts the closing handshake with a client, behind what was sent to it before: `id`, `code`, [`reason`]. `code` is one that may be
  // sent (RFC 6455, 7.4), `reason` has at most 123 bytes. Answer: `number` is 1.
  FWS_CLOSE = 4,
  // What is known of a client, until its close event has been handled: `id`. Answer: fws_reply_client reads the numbers, and the items of
  // `reply` are its id, the name of its route, the path of its request (byte for byte as sent), its address, its sub-protocol (empty where
  // there is none), its transport (`tcp`, `tls`, `http2`, `http3`), its user (empty where it is nobody's), and from item 7 on its tags,
  // sorted.
  FWS_CLIENT = 5,
  // How long the last pong of a client took: `id`. Answer: `number`, nanoseconds; 0 before the first.
  FWS_PING_TIME = 6,
  // Pings a client at once and then every `interval_ms`: `id`, `interval_ms`. The interval is 100 to 86,400,000 milliseconds;
  // FWS_PING_ROUTE: the client is pinged as its route says, after so long a silence; FWS_PING_OFF: never. Answer: `number` is 1.
  FWS_PING = 7,
  // Cuts a connection without a closing handshake: `id`. Its close event has the code 1006. Answer: `number` is 1.
  FWS_KILL = 8,
  // Gives a client another id of 1 to 255 bytes: `id`, `new_id`. Its tags, its stored information, and what waits for it or of it stay.
  // Answer: `number` is FWS_RENAMED_….
  FWS_RENAME = 9,
  // The names of the routes in force, sorted. Answer: `reply`.
  FWS_ROUTES = 10,
  // Counters and gauges. Answer: item 0 of `reply` is a JSON object.
  FWS_STATS = 11,
  // Puts a tag of 1 to 255 bytes on a client that may have it already: `id`, `tag`, [`since`], [`user`, `value`]. A client has at most 4096. With `since`, a
  // position of the tag's history or empty, a client that gets the tag now is sent what was sent after that, before anything that is sent to
  // the tag later. With `user` the client is this user in the channel, about whom it tells `value`, as FWS_SET_USER says of both; that can be
  // said again. Answer: `number` is 1.
  FWS_TAG = 12,
  // Takes a tag off a client that need not have it: `id`, `tag`. Answer: `number` is 1.
  FWS_UNTAG = 13,
  // Takes all tags off a client: `id`. Answer: `number` is 1.
  FWS_CLEAR_TAGS = 14,
  // The tags of a client, until its close event has been handled, or every tag that a client has: [`id`]. Answer: `reply`, sorted.
  FWS_TAGS = 15,
  // Stores a value about a client under a key of 1 to 255 bytes: `id`, `key`, `value`. It goes with the client, who has at most 256 keys
  // and 4 MiB. Answer: `number` is 1.
  FWS_SET_INFORMATION = 16,
  // What is stored about a client under a key: `id`, `key`. Answer: item 0 of `reply`. FWS_END also: nothing is stored there.
  FWS_GET_INFORMATION = 17,
  // Deletes what is stored about a client under a key: `id`, `key`. Answer: `number` is 1 where there was something.
  FWS_DELETE_INFORMATION = 18,
  // Deletes all that is stored about a client: `id`. Answer: `number` is 1.
  FWS_CLEAR_INFORMATION = 19,
  // All that is stored about a client: `id`. Answer: the items of `reply` are key, value, key, value, …, sorted by key.
  FWS_ALL_INFORMATION = 20,
  // The ids of the clients whose value under a key compares with `value` as `op` says: `key`, `op`, `value`, [`route`]. `op` is 0 equal,
  // 1 not equal, 2 prefix, 3 suffix, 4 contains, 5 to 8 equal, prefix, suffix, contains whatever the case, 9 regular expression (UTF-8,
  // without look-around and backreferences). A client without the key is not found. No lock is held while values are compared.
  // Answer: `reply`.
  FWS_SEARCH_INFORMATION = 21,
  // Sets the global value of a key of 1 to 1024 bytes, and its expiry: `key`, `value`, [`expire_seconds`]. Answer: nothing.
  FWS_VALUE_SET = 22,
  // Sets a global value if the key has none, which is what a lock needs: `key`, `value`, [`expire_seconds`]. Answer: `number` is 1 where it
  // was set.
  FWS_VALUE_ADD = 23,
  // The global value of a key: `key`. Answer: item 0 of `reply`. FWS_END: it has none.
  FWS_VALUE_GET = 24,
  // Deletes a global value: `key`. Answer: `number` is 1 where there was one.
  FWS_VALUE_DELETE = 25,
  // Adds to a global value that is a decimal integer, 0 if there is none; its expiry stays: `key`, `by`. Answer: `number` is the sum.
  FWS_VALUE_INCREMENT = 26,
  // How long a global value lives on: `key`. Answer: `number`, milliseconds; -1: it does not expire. FWS_END: the key has none.
  FWS_VALUE_EXPIRY = 27,
  // Sets a timer: `delay_ms`, [`data`], [`repeat`], [`name`], and `worker` or `bell`. After the delay of 1 ms to 366 days, and with `repeat`
  // again and again after as much, `worker`, or that of the claimed `bell`, gets an event FWS_EVENT_TIMER with `data`, of at most 1 MiB.
  // With a `name` of 1 to 255 bytes there is one such timer of that worker: where it is set already, with the same delay, data and
  // `repeat`, it goes on and the answer is its number; else this one takes its place. Answer: `number` is that of the timer, which is used
  // once.
  //
  // Timers survive a reload; those of a worker that left with it are cleared, and counted. One that repeats does not make up for what it
  // missed.
  FWS_TIMER_SET = 28,
  // Clears a timer: `timer`. One that is due already may still be told. Answer: `number` is 1 where it was set.
  FWS_TIMER_CLEAR = 29,
  // What was sent to a tag of which a route keeps a history: `tag`, [`limit`], [`since`], [`route`]. `limit` is the most messages, 0: all;
  // without `since` the last ones, else the first ones after that position, which is a text that a history has given, or empty. `route` may
  // be left out where only one keeps a history of the tag. Answer: item 0 of `reply` is the position behind the last message that was sent,
  // item 1 on are the payloads; fws_reply_history and fws_reply_message read the rest.
  FWS_HISTORY = 30,
  // Forgets what was sent to a tag of which a route keeps a history: `tag`, [`route`]. Answer: `number` is 1 where something was kept.
  FWS_CLEAR_HISTORY = 31,
  // Says whose a client is: `id`, [`user`], [`value`]. `user` has 1 to 255 bytes; without it the client is nobody's. `value` is what channels
  // with presence tell of the user, at most 4096 bytes. Answer: `number` is 1.
  FWS_SET_USER = 32,
  // Starts the closing handshake with the clients of a user: `user`, `code`, [`reason`], [`route`], as FWS_CLOSE. Answer: `number` is how
  // many.
  FWS_DISCONNECT_USER = 33,
  // Who is in a channel with presence: `tag`, [`route`]. `route` may be left out where only one has presence for the tag. Answer: the items
  // of `reply` are user, information, user, information, …, sorted by user; fws_reply_member reads the number of connections, too.
  FWS_PRESENCE = 34,
  // Sends an event to channels of an application of the Pusher protocol: `channels`, `name`, `data`, [`except_id`], [`app`]. `data` is UTF-8,
  // `except_id` the socket_id of a connection that is left out, and `app` the id of the application, which may be left out where there is
  // only one. Answer: `number` is to how many clients of this server it was queued.
  FWS_PUBLISH = 35,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fws_command_kind fws_command_kind;
#else
typedef uint32_t fws_command_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The results of a batch. Freed by its receiver with fws_batch_free.
typedef struct fws_batch fws_batch;

// A claimed bell. Freed by fws_bell_release.
typedef struct fws_bell fws_bell;

// The text of a failure. Freed by its receiver with fws_error_free.
typedef struct fws_error fws_error;

// An examined upgrade request. Ended by fws_conn_adopt or fws_handshake_free.
typedef struct fws_handshake fws_handshake;

// A list of byte strings. Freed by its receiver with fws_reply_free.
typedef struct fws_reply fws_reply;

// The answer to a command, in JSON, as it is read. Freed by its receiver with fws_stream_free.
//
// It is written item by item: a list of many thousand ids is never one text.
typedef struct fws_stream fws_stream;

// One result of a batch.
typedef struct {
  // FWS_RESULT_….
  uint32_t kind;
  // The flag or the number.
  int64_t value;
} fws_result_item;

// Bytes that belong to somebody else. `ptr` is not NULL where `len` is not 0.
typedef struct {
  // The first byte.
  const uint8_t *ptr;
  // How many.
  size_t len;
} fws_bytes;

// A bell to be rung: a request to `worker` whose query string carries `fws_bell=<nonce>`.
typedef struct {
  // 32 hexadecimal digits and a NUL.
  uint8_t nonce[33];
  // The worker's name, valid for the life of the process.
  fws_bytes worker;
} fws_ring;

// One event of a connection, of a timer, or of a channel.
typedef struct {
  // FWS_EVENT_….
  uint32_t kind;
  // Message: binary rather than text.
  bool binary;
  // Close: both sides sent a close frame.
  bool clean;
  // Close: the code of the first close frame that either side sent; 1005 if it had none, 1006 if there was no close frame.
  uint16_t code;
  // The connection's id.
  fws_bytes id;
  // The name of its route, or of that of the channel.
  fws_bytes route;
  // Message, timer: the payload. Close: the reason. Join, leave, subscribe: what was said about the user. Client event: its data, as JSON.
  fws_bytes data;
  // Timer: its number.
  uint64_t timer;
  // Open, resume: the path of the request, byte for byte as the client sent it.
  fws_bytes path;
  // Open, resume: the query without `?`.
  fws_bytes query;
  // Open, resume: the client's address.
  fws_bytes ip;
  // Open, resume: the sub-protocol agreed on; empty where there is none.
  fws_bytes subprotocol;
  // Open, resume: whose the connection is; empty where it is nobody's. Join, leave: the user. Subscribe, unsubscribe, client event: who the
  // client is in the channel.
  fws_bytes user;
  // Join, leave, subscribe, unsubscribe, client event, and what has become of a channel: the channel's tag.
  fws_bytes tag;
  // Client event: its name.
  fws_bytes name;
  // Subscription count: how many.
  uint64_t count;
  // Open, resume: how many headers there are, see fws_event_header.
  size_t header_count;
} fws_event;

// A pipe that the host has to look at.
typedef struct {
  // The pipe.
  uint64_t id;
  // FWS_PIPE_OUTPUT, FWS_PIPE_RESUME, FWS_PIPE_FINISHED and FWS_PIPE_OVER.
  uint32_t state;
} fws_dirty;

// What is known of a client, as far as it is numbers.
typedef struct {
  // It is connected; where not, its close event is still to be handled.
  bool connected;
  // Its connection broke, and it is waited for.
  bool suspended;
  // When it connected, milliseconds since 1970.
  uint64_t connected_at;
  // When its last message came, milliseconds since 1970; 0 before the first.
  uint64_t last_message_at;
  // Messages received from it.
  uint64_t messages_received;
  // Bytes received from it, frame headers included.
  uint64_t bytes_received;
  // Messages put into its outbox.
  uint64_t messages_sent;
  // Bytes that its socket took.
  uint64_t bytes_sent;
  // Bytes that wait for it.
  uint64_t queued_bytes;
  // How long its last pong took, nanoseconds; 0 before the first.
  uint64_t ping_time;
  // Messages to it that were dropped because it does not read as fast as it is sent to.
  uint64_t messages_dropped;
  // Messages from it that PHP was not told, since the server had decided to end it.
  uint64_t messages_discarded;
} fws_client;

// A message of a history.
typedef struct {
  // The position behind it, valid until fws_reply_free.
  fws_bytes position;
  // Its number among all that were sent to the tag, from 1 on.
  uint64_t offset;
  // When it was sent, milliseconds since 1970.
  uint64_t time;
  // A binary message rather than a text.
  bool binary;
  // The payload, valid until fws_reply_free.
  fws_bytes data;
} fws_message;

// Who is in a channel.
typedef struct {
  // The user, valid until fws_reply_free.
  fws_bytes user;
  // What was said about the user, valid until fws_reply_free.
  fws_bytes info;
  // Connections in the channel; 0 while the user may come back in the channel's time of grace.
  uint32_t connections;
} fws_member;

// A command. A field that is all zero is left out: in C, `(fws_command){.kind = FWS_ROUTES}` and the fields that the kind reads. Bytes are
// copied before fws_command_run returns.
typedef struct {
  // fws_command_kind.
  uint32_t kind;
  // FWS_TO_….
  uint32_t target;
  // A binary message rather than a text.
  bool binary;
  // The timer fires again and again.
  bool repeat;
  // How values are compared.
  uint32_t op;
  // Milliseconds between pings, FWS_PING_ROUTE or FWS_PING_OFF.
  uint32_t interval_ms;
  // A close code.
  int64_t code;
  // What is added.
  int64_t by;
  // Seconds until a value is gone; 0: never.
  uint64_t expire_seconds;
  // Milliseconds until a timer fires.
  uint64_t delay_ms;
  // The number of a timer.
  uint64_t timer;
  // The most messages.
  uint32_t limit;
  // A client's id. UTF-8.
  fws_bytes id;
  // Its id from then on. UTF-8.
  fws_bytes new_id;
  // A tag. UTF-8.
  fws_bytes tag;
  // A tag expression. UTF-8.
  fws_bytes expression;
  // The name of the route that clients are on; left out: of any route. UTF-8.
  fws_bytes route;
  // The id of a client that is left out. UTF-8.
  fws_bytes except_id;
  // A message, or what a timer's event has.
  fws_bytes data;
  // Why a connection is closed. UTF-8.
  fws_bytes reason;
  // The key of a value. UTF-8 where the value is about a client.
  fws_bytes key;
  // A value.
  fws_bytes value;
  // The name of a worker. UTF-8.
  fws_bytes worker;
  // The name of a timer, or of an event. UTF-8.
  fws_bytes name;
  // Whose a client is. UTF-8.
  fws_bytes user;
  // A position of a history. UTF-8. Empty, but not NULL: before the first message.
  fws_bytes since;
  // The id of an application of the Pusher protocol. UTF-8.
  fws_bytes app;
  // So many names of channels. Each is UTF-8.
  const fws_bytes *channels;
  // How many.
  size_t channel_count;
  // The claimed bell whose event's handler gives the command, NULL where none does: for FWS_TIMER_SET, and so that what a handler sends can
  // wait for what the handler of the bell's next event sends, if that is there already.
  const fws_bell *bell;
  // A flag that ends the command once somebody has made it true, where it takes long in this process; NULL: nothing ends it. A signal
  // handler or another thread may do that. It is one byte that is valid until fws_command_run returns.
  const bool *interrupt;
} fws_command;

// What a command has answered: fws_command_kind says which of the two, or neither.
typedef struct {
  // A number; 1 and 0 for yes and no.
  int64_t number;
  // Strings, NULL where the answer has none. The caller frees it with fws_reply_free.
  fws_reply *reply;
} fws_answer;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Begins a batch on this thread. Until its end, commands that change or send do not fail, and for a process without a core they are
// queued and answered with a placeholder: FWS_SENT_QUEUED, FWS_RENAMED_DONE, 0 clients, 1, or 0. Commands that ask are answered as ever, behind all
// that is queued. FWS_ERR_STALE: this thread has begun one already.
fws_result fws_batch_begin(void);

// Ends the batch of this thread: all that is queued is carried out. `out` (optional) receives the results, in order, of its commands that
// change or send, unless one of them has failed: then the code is that of the first, and `error` (optional) receives its position and
// its text. FWS_ERR_STALE: this thread has not begun one.
fws_result fws_batch_end(fws_batch **out, fws_error **error);

// The results of a batch and, in `count`, how many; valid until fws_batch_free. NULL for none.
const fws_result_item *fws_batch_results(const fws_batch *batch, size_t *count);

// Frees the results of a batch; NULL is allowed.
void fws_batch_free(fws_batch *batch);

// Takes at most `capacity` bells that are to be rung now into `out`; returns how many. While the gate is closed there are none. Each
// must be ended with fws_bell_end.
size_t fws_bells_take(fws_ring *out, size_t capacity);

// The host is through with a bell's request. `nonce`: its 32 digits. `output` is what PHP printed, `error` the host's own text of a
// failure; both optional, both go to the log. An event that was not acknowledged fails. A bell that was ended before is ignored.
void fws_bell_end(const uint8_t *nonce, uint32_t outcome, const uint8_t *output, size_t output_len, const uint8_t *error, size_t error_len);

// Claims the bell whose nonce stands in a request's query string. A nonce can be claimed once. FWS_ERR_NO_BELL: there is no live one.
fws_result fws_bell_claim(const uint8_t *query, size_t query_len, fws_bell **out);

// Acknowledges the event that was handed out before and waits, some milliseconds, for the next one. Blocks so long.
//
// FWS_END: the request is to end. What `out` points to is valid until the next fws_event_next, fws_event_fail or fws_bell_release of
// this bell.
fws_result fws_event_next(fws_bell *bell, fws_event *out);

// One header of the current event, which is an open or a resume event; names are in lower case, and valid as long as the event. FWS_END beyond
// the last, and for other events.
fws_result fws_event_header(const fws_bell *bell,
                            size_t index,
                            fws_bytes *name,
                            fws_bytes *value);

// The current event failed, with a cause for the log: it is counted and the route's on_error carried out; fws_event_next goes on
// with the next one. FWS_END: no event is current.
fws_result fws_event_fail(fws_bell *bell, const uint8_t *cause, size_t cause_len);

// The request ends and the bell is freed; NULL is allowed. Its current event is acknowledged or, with `failed`, fails with a cause
// (optional). Events that PHP never received are delivered again, in their order.
void fws_bell_release(fws_bell *bell, bool failed, const uint8_t *cause, size_t cause_len);

// A text as a piece of a tag expression that stands for exactly this text, whatever it has in it: alone it selects the clients with this
// tag, and beside other pieces it is a part of a name (`room_` and what is quoted). The result is item 0 of the reply. It needs no core.
fws_result fws_tag_quote(const uint8_t *tag, size_t tag_len, fws_reply **out);

// Serves the control socket, by which other processes of this machine give commands: with another configuration than before anew, with
// the same one only if it is not served.
//
// `config` is JSON, optional: `{"path":"/run/app/ctl.sock","mode":432,"group":33,"project":{"directory":"/srv/app",
// "config":"/srv/app/Caddyfile","scripts":["/srv/app"]}}`. Without a path the server has one of its own, where fws_remote_enable looks; the
// mode is 0600, or 0660 where a group is given. `project` is what other processes know the server by among several: where it was started,
// its configuration file, and the folders of its scripts, all absolute; a change of it leaves the socket as it is. `"off":true`: there is no
// socket, and who looks for this server is told so. Where another server has the path, the socket is served when that one has ended, and
// the log says so. `error` (optional) receives the reason of FWS_ERR_CONFIG and FWS_ERR_IO.
fws_result fws_control_serve(const uint8_t *config,
                             size_t config_len,
                             fws_error **error);

// Ends serving the control socket and removes it; does nothing where it is not served. To be called before the process ends.
void fws_control_stop(void);

// To be called in a forked child that goes on without exec: closes what the control socket must not leave to it. Calls close and nothing
// else. Every other function of this library is for the parent only.
void fws_control_forked(void);

// The version of the ABI of the library that is linked: to be compared with FWS_ABI_VERSION of the header.
uint32_t fws_abi_version(void);

// The version of the library, static and NUL-terminated.
const char *fws_version(void);

// Starts the core of this process; once it runs, further calls change nothing and are FWS_OK.
//
// `config` is JSON, optional: `{"shards": 2, "max_unfinished": 1048576, "max_pending_bytes": 1048576, "max_compression_memory": 1048576,
// "search_timeout": 1000000000, "values": {"max_entries": 1000, "max_size": 1048576}}`. What is 0 or absent has its default.
// * `shards`: threads that own sockets; one for every two processors.
// * `max_unfinished`: how many bytes messages that have come only in part may take, of all clients together; 512 MiB. Beyond it, of the
//   address that holds most, the oldest goes, and its client is closed with 1013.
// * `max_pending_bytes`: from so many bytes of events on that wait for PHP, of all clients together, handshakes get 503, and a client that
//   has events waiting is not read until they are handled; 512 MiB.
// * `max_compression_memory`: how many bytes compression may keep between messages; 256 MiB.
// * `search_timeout`: how many nanoseconds a command may look at clients, tags and stored information; a second. Then it ends with
//   FWS_ERR_SEARCH_TIMEOUT.
// * `values`: how many global values there may be and how many bytes they may take, with their keys and 128 for each; 1,000,000 and
//   256 MiB.
//
// `error` (optional) receives the reason of FWS_ERR_CONFIG or FWS_ERR_IO.
fws_result fws_core_start(const uint8_t *config, size_t config_len, fws_error **error);

// Whether the core of this process is started.
bool fws_core_running(void);

// A non-blocking eventfd that becomes readable when bells or log records wait; -1 before the start.
//
// It belongs to the core and lives as long as the process. Read 8 bytes of it, then call fws_bells_take and fws_log_take until both
// have nothing more.
int32_t fws_core_fd(void);

// Ends every connection and refuses new ones, in at most `timeout_ms` milliseconds. First nothing more is read, and what was read is handled,
// for which half of the time is given. Then the connections are closed with 1001, and it is waited until they are gone and their close
// events are handled. Blocks. A later commit accepts connections again.
//
// `remaining` (optional) receives how many clients have not answered the close frame, `unhandled` (optional) how many connections have
// ended without PHP having handled their last events.
fws_result fws_core_drain(uint32_t timeout_ms,
                          uint64_t *remaining,
                          uint64_t *unhandled);

// Tells the core what the host has counted of the handshakes that it puts to the site before it opens them: the statistics show it.
// `waiting` and `running` are those of now, `asked`, `given_up` and `refused_busy` those since the start. Without a core it does nothing.
void fws_core_authorizing(uint64_t waiting, uint64_t running, uint64_t asked, uint64_t given_up, uint64_t refused_busy);

// Closes the gate once more: while it is closed no bell is handed out, and running ones end at their next event. Waits until none is
// left, at most `timeout_ms` milliseconds. Blocks. `running` (optional) receives how many are left. Each call is undone by one of
// fws_gate_open.
fws_result fws_gate_close(uint32_t timeout_ms, uint32_t *running);

// Undoes one fws_gate_close.
void fws_gate_open(void);

// Moves log records into `buffer`, whole lines of JSON: `{"level":"info|warn|error","msg":"…","fields":{…}}`. Returns the bytes
// written; 0: there are none. `capacity` must be at least 65536.
size_t fws_log_take(uint8_t *buffer, size_t capacity);

// The text of an error, valid until fws_error_free.
void fws_error_text(const fws_error *error, fws_bytes *out);

// Frees an error; NULL is allowed.
void fws_error_free(fws_error *error);

// Examines an upgrade request for a route.
//
// `head` is the request as an HTTP/1.1 head: `GET /path?query HTTP/1.1`, header lines and an empty line, each ended by CR LF; at most
// 1 MiB. With FWS_EXTENDED_CONNECT it is written as `CONNECT /path?query HTTP/1.1`, with its authority as Host. `client_ip` is the client's
// address as text. FWS_OK also when the request is refused: see fws_handshake_status.
fws_result fws_handshake_new(const uint8_t *route,
                             size_t route_len,
                             const uint8_t *head,
                             size_t head_len,
                             const uint8_t *client_ip,
                             size_t client_ip_len,
                             uint32_t flags,
                             fws_handshake **out);

// Whether a pattern can be one of a route's `origins`. FWS_ERR_CONFIG if no origin could match it, or not the one that was meant; the
// error says why, and what would be right. The core need not run.
fws_result fws_origin_check(const uint8_t *pattern, size_t pattern_len, fws_error **error);

// The status to answer with: 101, or 200 for an extended CONNECT, or that of the refusal (400, 403, 405, 426, 429, 431, 503, 505). 0 for
// NULL.
uint16_t fws_handshake_status(const fws_handshake *handshake);

// How many headers the answer needs, whether it is accepted or refused.
size_t fws_handshake_header_count(const fws_handshake *handshake);

// One header of the answer, valid as long as the handshake. FWS_END beyond the last.
fws_result fws_handshake_header(const fws_handshake *handshake, size_t index, fws_bytes *name, fws_bytes *value);

// Why the request was refused, for the body of the answer; valid as long as the handshake.
void fws_handshake_text(const fws_handshake *handshake, fws_bytes *out);

// Gives the connection an id of the host's choice, 1 to 255 bytes of UTF-8; it is promised to this handshake until that ends.
// FWS_ERR_ID_TAKEN if a client or another handshake has it, FWS_ERR_ID_LEAVING if it will be free as soon as PHP has handled the close event
// of the client that had it, FWS_ERR_STALE if the handshake is refused.
fws_result fws_handshake_set_id(fws_handshake *handshake,
                                const uint8_t *id,
                                size_t id_len);

// Chooses a sub-protocol in place of the client's first that the route speaks. One that the route does not speak goes to its default
// worker. FWS_ERR_SUBPROTOCOL if the client did not offer it or nobody would handle it.
fws_result fws_handshake_set_subprotocol(fws_handshake *handshake, const uint8_t *name, size_t name_len);

// Gives the connection a tag from its first moment, 1 to 255 bytes of UTF-8; at most 4096 of them.
fws_result fws_handshake_add_tag(fws_handshake *handshake, const uint8_t *tag, size_t tag_len);

// Says whose the connection is, from its first moment on: 1 to 255 bytes of UTF-8, and what channels with presence tell of the user, at most
// 4096 bytes.
fws_result fws_handshake_set_user(fws_handshake *handshake,
                                  const uint8_t *user,
                                  size_t user_len,
                                  const uint8_t *info,
                                  size_t info_len);

// Gives the connection stored information from its first moment: a key of 1 to 255 bytes of UTF-8, and any bytes.
fws_result fws_handshake_set_information(fws_handshake *handshake,
                                         const uint8_t *key,
                                         size_t key_len,
                                         const uint8_t *value,
                                         size_t value_len);

// Makes the client known, which is to be done right before the answer is written: it is listed from now on, and what it is sent waits until
// its connection is there. `transport` is one of FWS_TRANSPORT_…. Nothing else can be given to the handshake after this. Where the answer
// cannot be written, fws_handshake_free makes the client be forgotten; PHP is told nothing of it.
//
// FWS_ERR_STALE: the handshake is refused, now or before. Its status, headers and text say how. FWS_ERR_OUT_OF_RANGE: `transport` is none.
fws_result fws_handshake_enter(fws_handshake *handshake, uint32_t transport);

// The host itself refuses a request that was accepted: it counts as refused, and its place on the route and its id are free again.
// The handshake is still to be freed.
void fws_handshake_deny(fws_handshake *handshake);

// Frees a handshake and gives back the place it held on its route; NULL is allowed.
void fws_handshake_free(fws_handshake *handshake);

// Takes over a connection whose 101 has been written. The handshake is consumed in every case: do not use or free it afterwards. One that
// was not entered before is entered now.
//
// `fd` is a connected stream socket. On FWS_OK it belongs to the core: do not use or close it afterwards; else it is still the
// caller's. `buffered` are bytes that were read behind the request. FWS_ERR_STALE if the handshake was not accepted.
fws_result fws_conn_adopt(fws_handshake *handshake, int32_t fd, const uint8_t *buffered, size_t buffered_len);

// Carries out a command given in JSON, as in `{"send":{"to":{"tag":"lyon"},"data":"hello"}}`; docs/commands.md lists all. `out` receives
// the answer, to be read with fws_stream_read.
//
// FWS_ERR_COMMAND: the JSON is not a command. `error` (optional) receives the text of any error, with the place in the JSON where it has
// one.
fws_result fws_command_json(const uint8_t *json, size_t len, fws_stream **out, fws_error **error);

// Moves what comes next of an answer into `buffer`, at most `capacity` bytes; returns how many. 0: there is nothing more.
size_t fws_stream_read(fws_stream *stream, uint8_t *buffer, size_t capacity);

// Frees an answer, read to its end or not; NULL is allowed.
void fws_stream_free(fws_stream *stream);

// Opens a pipe for a connection whose 101 or 200 has been written. The handshake is consumed in every case: do not use or free it
// afterwards. One that was not entered before is entered now.
//
// `out` receives the id of the pipe, never 0. It carries a generation: one that is no longer valid is FWS_ERR_STALE everywhere and
// never another pipe. Every pipe must be ended with fws_pipe_close and FWS_PIPE_FREE, whatever becomes of the connection. FWS_ERR_STALE
// here: the handshake was not accepted. FWS_ERR_OUT_OF_RANGE: `transport` is none of FWS_TRANSPORT_….
fws_result fws_pipe_open(fws_handshake *handshake, uint32_t transport, uint64_t *out);

// Hands over bytes that the client sent, in their order: by one thread at a time. Does not block.
//
// `consumed` receives how many were taken. Where that is less than `len`, the client is not to be read until FWS_PIPE_RESUME, and the
// rest is to be fed then: PHP does not keep up, or the client does not read what it is sent. `state` receives what is to be done
// already, see FWS_PIPE_…; of that, fws_pipes_dirty may say nothing more.
fws_result fws_pipe_feed(uint64_t id, const uint8_t *bytes, size_t len, size_t *consumed, uint32_t *state);

// Moves bytes that are to be sent to the client into `buffer`, in their order: by one thread at a time. Does not block.
//
// `taken` receives how many, `state` what is left to be done: see FWS_PIPE_…, without FWS_PIPE_RESUME. FWS_PIPE_FINISHED and
// FWS_PIPE_OVER hold behind the last byte, that is once FWS_PIPE_OUTPUT is not set.
fws_result fws_pipe_take(uint64_t id, uint8_t *buffer, size_t capacity, size_t *taken, uint32_t *state);

// A non-blocking eventfd that becomes readable when pipes are dirty; -1 before the start.
//
// It belongs to the core and lives as long as the process. Read 8 bytes of it, then call fws_pipes_dirty until there are no more.
int32_t fws_pipe_fd(void);

// Takes at most `capacity` pipes about which there is something new into `out`; returns how many. A pipe is in the list at most once;
// what happens to it from then on brings it there again. By one thread at a time; the host may have freed a pipe that is in `out`.
size_t fws_pipes_dirty(fws_dirty *out, size_t capacity);

// Ends a pipe: `how` is FWS_PIPE_END or FWS_PIPE_FREE, else FWS_ERR_OUT_OF_RANGE. May be called while another thread is in
// fws_pipe_feed or fws_pipe_take of the same pipe; what that does then has no effect.
fws_result fws_pipe_close(uint64_t id, uint32_t how);

// Looks at a request of HTTP to a route that speaks the Pusher protocol before its body is read: whether there is such a call, and whether
// an application has signed it. `method`, `path` and `query` are as for fws_pusher_call; `size` is that of the body as far as the request
// says it, or 0.
//
// Where the body may be read, `status` receives 0, and `most` how many bytes of it are taken; of a longer one no more need be read than one
// byte beyond. Then fws_pusher_call answers, or fws_pusher_unread. Otherwise `status` and `reply` receive the answer, as from
// fws_pusher_call, and the body is not to be read.
fws_result fws_pusher_examine(const uint8_t *route,
                              size_t route_len,
                              const uint8_t *method,
                              size_t method_len,
                              const uint8_t *path,
                              size_t path_len,
                              const uint8_t *query,
                              size_t query_len,
                              uint64_t size,
                              uint64_t *most,
                              uint32_t *status,
                              fws_reply **reply);

// The answer to a request whose body was not read to its end: `late`, since it did not come in time, or else since the bodies of other calls
// take as much memory as they may. It is counted as a call that was refused. `status` and `reply` are as for fws_pusher_call.
fws_result fws_pusher_unread(bool late,
                             uint32_t *status,
                             fws_reply **reply);

// Answers a request of HTTP to a route that speaks the Pusher protocol, whatever it asks for: `method` in capitals, `path` as it was sent,
// `query` without the `?`, and the body, which fws_pusher_examine has let in. It waits for other servers, where there are some.
//
// `status` receives that of the answer. The items of `reply` are the value of Content-Type, the body, and the value of Allow, which is empty
// where the answer has none.
fws_result fws_pusher_call(const uint8_t *route,
                           size_t route_len,
                           const uint8_t *method,
                           size_t method_len,
                           const uint8_t *path,
                           size_t path_len,
                           const uint8_t *query,
                           size_t query_len,
                           const uint8_t *body,
                           size_t body_len,
                           uint32_t *status,
                           fws_reply **reply);

// From now on commands are for the server of this machine, reached by its control socket, unless the core runs in this process. For
// programs on the command line; a server must not call it, or it would talk to another one while it has no routes. Only the first call
// counts.
//
// The socket is the one that FRANKENPHP_WS_SOCKET names. Else servers are looked for in the folder that it names; or in
// /run/frankenphp-ws, in frankenphp-ws in $XDG_RUNTIME_DIR or /run/user/UID, and in /tmp/frankenphp-ws-UID. Of several the one is taken in
// whose project `script` is (the path of the script that this process runs, optional), or the working directory; if that is not certain,
// commands fail with FWS_ERR_CONTROL_AMBIGUOUS. It is connected to when a command needs it, within a second. Commands then block until they
// are answered, and can also fail with FWS_ERR_NO_SERVER, FWS_ERR_CONTROL_DENIED, FWS_ERR_CONTROL_VERSION and FWS_ERR_CONTROL_LOST. The
// error has the path of the socket, and what would be right.
void fws_remote_enable(const uint8_t *script, size_t script_len);

// Whether commands are for another process: fws_remote_enable was called, and the core does not run here.
bool fws_remote_enabled(void);

// How many items a reply has; 0 for NULL.
size_t fws_reply_count(const fws_reply *reply);

// One item of a reply, valid until fws_reply_free. FWS_END beyond the last.
fws_result fws_reply_item(const fws_reply *reply, size_t index, fws_bytes *out);

// The numbers of the reply to FWS_CLIENT. FWS_END: the reply is that to another command.
fws_result fws_reply_client(const fws_reply *reply, fws_client *out);

// Whether nothing is missing before the first message of a history: after `since`, or from the first message on. FWS_END: the reply is
// that to another command than FWS_HISTORY.
fws_result fws_reply_history(const fws_reply *reply, bool *complete);

// One message of the reply to FWS_HISTORY, from 0 on. FWS_END beyond the last, and of the reply to another command.
fws_result fws_reply_message(const fws_reply *reply, size_t index, fws_message *out);

// One member of the reply to FWS_PRESENCE, from 0 on. FWS_END beyond the last, and of the reply to another command.
fws_result fws_reply_member(const fws_reply *reply, size_t index, fws_member *out);

// Frees a reply; NULL is allowed.
void fws_reply_free(fws_reply *reply);

// What a code means: a static English sentence, NUL-terminated, never NULL, also for unknown codes.
const char *fws_result_text(int32_t code);

// Reads and checks the routes of a generation and keeps them until they are committed or withdrawn. Generations are chosen by the
// caller, increasing.
//
// `json`: `{"routes":[{"name":"chat","worker":"chat","echo":false,"origins":[],"subprotocols":[],"subprotocol_workers":
// [{"subprotocol":"news.v1","worker":"news"}],"subprotocol_required":false,"max_message_size":1048576,
// "max_outbox":4194304,"max_pending_events":1024,"max_connections":1000,"on_error":"continue"}],"workers":[{"name":"chat","threads":2}]}`.
// Of a route only the name and one of worker, subprotocol_workers and echo are required. `error` (optional) receives the reason of FWS_ERR_CONFIG.
fws_result fws_routes_stage(uint64_t generation,
                            const uint8_t *json,
                            size_t len,
                            fws_error **error);

// Puts a staged generation in force: connections keep their routes by name, those of removed routes are closed with 1001, spread
// over time. FWS_ERR_STALE if it was not staged or a newer one is committed.
fws_result fws_routes_commit(uint64_t generation);

// A generation ends. One that is not committed is forgotten. In the place of the committed one the newest staged one is committed;
// without one every connection is closed with 1001.
fws_result fws_routes_withdraw(uint64_t generation);

// Carries out a command. `answer` receives what fws_command_kind says. FWS_END: there is nothing to answer, as fws_command_kind says, or the
// client that was asked about is gone.
//
// `error` (optional) receives the text of any other result but FWS_ERR_NULL: what was wrong, where, and what would be right. FWS_ERR_NULL:
// `command` or `answer` is NULL, or a field of bytes is NULL and has a length, or a timer has neither a worker nor a bell.
// FWS_ERR_COMMAND: `kind` is none of fws_command_kind.
//
// Commands that look at many clients, tags or stored values may take as long as search_timeout (FWS_ERR_SEARCH_TIMEOUT), unless
// `interrupt` ends them (FWS_ERR_INTERRUPTED). They change and send nothing then. All others return at once in the process of the core. In another process
// (fws_remote_enable) each waits for its answer.
fws_result fws_command_run(const fws_command *command,
                           fws_answer *answer,
                           fws_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FWS_H */
