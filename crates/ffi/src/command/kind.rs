//! What a command does, by number.

/// What a command does. Below each stands which fields of fws_command it reads, apart from `kind`, and what its answer is. A field in
/// brackets may be left out.
///
/// A client that is gone is no error: a command that does something to it answers 0 (FWS_SEND and FWS_RENAME: FWS_SENT_GONE,
/// FWS_RENAMED_GONE), and a command that asks about it returns FWS_END.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum fws_command_kind {
    /// Queues a message to clients: `target` with its field, `data`, `binary`, [`route`], [`except_id`]. Text is UTF-8. Answer for
    /// FWS_TO_CLIENT: `number` is FWS_SENT_…; else `number` is to how many clients it was queued. FWS_ERR_TOO_LARGE: the message to one
    /// client is longer than the max_outbox of its route. A message to several leaves such clients out.
    FWS_SEND = 1,
    /// The ids of clients: `target` with its field, [`route`]. Answer: `reply` has the ids, in no order.
    FWS_LIST = 2,
    /// How many clients there are: `target` with its field, [`route`]. Answer: `number`.
    FWS_COUNT = 3,
    /// Starts the closing handshake with a client, behind what was sent to it before: `id`, `code`, [`reason`]. `code` is one that may be
    /// sent (RFC 6455, 7.4), `reason` has at most 123 bytes. Answer: `number` is 1.
    FWS_CLOSE = 4,
    /// What is known of a client, until its close event has been handled: `id`. Answer: fws_reply_client reads the numbers, and the items of
    /// `reply` are its id, the name of its route, the path of its request (byte for byte as sent), its address, its sub-protocol (empty where
    /// there is none), its transport (`tcp`, `tls`, `http2`, `http3`), its user (empty where it is nobody's), and from item 7 on its tags,
    /// sorted.
    FWS_CLIENT = 5,
    /// How long the last pong of a client took: `id`. Answer: `number`, nanoseconds; 0 before the first.
    FWS_PING_TIME = 6,
    /// Pings a client at once and then every `interval_ms`: `id`, `interval_ms`. The interval is 100 to 86,400,000 milliseconds;
    /// FWS_PING_ROUTE: the client is pinged as its route says, after so long a silence; FWS_PING_OFF: never. Answer: `number` is 1.
    FWS_PING = 7,
    /// Cuts a connection without a closing handshake: `id`. Its close event has the code 1006. Answer: `number` is 1.
    FWS_KILL = 8,
    /// Gives a client another id of 1 to 255 bytes: `id`, `new_id`. Its tags, its stored information, and what waits for it or of it stay.
    /// Answer: `number` is FWS_RENAMED_….
    FWS_RENAME = 9,
    /// The names of the routes in force, sorted. Answer: `reply`.
    FWS_ROUTES = 10,
    /// Counters and gauges. Answer: item 0 of `reply` is a JSON object.
    FWS_STATS = 11,
    /// Puts a tag of 1 to 255 bytes on a client that may have it already: `id`, `tag`, [`since`], [`user`, `value`]. A client has at most 4096. With `since`, a
    /// position of the tag's history or empty, a client that gets the tag now is sent what was sent after that, before anything that is sent to
    /// the tag later. With `user` the client is this user in the channel, about whom it tells `value`, as FWS_SET_USER says of both; that can be
    /// said again. Answer: `number` is 1.
    FWS_TAG = 12,
    /// Takes a tag off a client that need not have it: `id`, `tag`. Answer: `number` is 1.
    FWS_UNTAG = 13,
    /// Takes all tags off a client: `id`. Answer: `number` is 1.
    FWS_CLEAR_TAGS = 14,
    /// The tags of a client, until its close event has been handled, or every tag that a client has: [`id`]. Answer: `reply`, sorted.
    FWS_TAGS = 15,
    /// Stores a value about a client under a key of 1 to 255 bytes: `id`, `key`, `value`. It goes with the client, who has at most 256 keys
    /// and 4 MiB. Answer: `number` is 1.
    FWS_SET_INFORMATION = 16,
    /// What is stored about a client under a key: `id`, `key`. Answer: item 0 of `reply`. FWS_END also: nothing is stored there.
    FWS_GET_INFORMATION = 17,
    /// Deletes what is stored about a client under a key: `id`, `key`. Answer: `number` is 1 where there was something.
    FWS_DELETE_INFORMATION = 18,
    /// Deletes all that is stored about a client: `id`. Answer: `number` is 1.
    FWS_CLEAR_INFORMATION = 19,
    /// All that is stored about a client: `id`. Answer: the items of `reply` are key, value, key, value, …, sorted by key.
    FWS_ALL_INFORMATION = 20,
    /// The ids of the clients whose value under a key compares with `value` as `op` says: `key`, `op`, `value`, [`route`]. `op` is 0 equal,
    /// 1 not equal, 2 prefix, 3 suffix, 4 contains, 5 to 8 equal, prefix, suffix, contains whatever the case, 9 regular expression (UTF-8,
    /// without look-around and backreferences). A client without the key is not found. No lock is held while values are compared.
    /// Answer: `reply`.
    FWS_SEARCH_INFORMATION = 21,
    /// Sets the global value of a key of 1 to 1024 bytes, and its expiry: `key`, `value`, [`expire_seconds`]. Answer: nothing.
    FWS_VALUE_SET = 22,
    /// Sets a global value if the key has none, which is what a lock needs: `key`, `value`, [`expire_seconds`]. Answer: `number` is 1 where it
    /// was set.
    FWS_VALUE_ADD = 23,
    /// The global value of a key: `key`. Answer: item 0 of `reply`. FWS_END: it has none.
    FWS_VALUE_GET = 24,
    /// Deletes a global value: `key`. Answer: `number` is 1 where there was one.
    FWS_VALUE_DELETE = 25,
    /// Adds to a global value that is a decimal integer, 0 if there is none; its expiry stays: `key`, `by`. Answer: `number` is the sum.
    FWS_VALUE_INCREMENT = 26,
    /// How long a global value lives on: `key`. Answer: `number`, milliseconds; -1: it does not expire. FWS_END: the key has none.
    FWS_VALUE_EXPIRY = 27,
    /// Sets a timer: `delay_ms`, [`data`], [`repeat`], [`name`], and `worker` or `bell`. After the delay of 1 ms to 366 days, and with `repeat`
    /// again and again after as much, `worker`, or that of the claimed `bell`, gets an event FWS_EVENT_TIMER with `data`, of at most 1 MiB.
    /// With a `name` of 1 to 255 bytes there is one such timer of that worker: where it is set already, with the same delay, data and
    /// `repeat`, it goes on and the answer is its number; else this one takes its place. Answer: `number` is that of the timer, which is used
    /// once.
    ///
    /// Timers survive a reload; those of a worker that left with it are cleared, and counted. One that repeats does not make up for what it
    /// missed.
    FWS_TIMER_SET = 28,
    /// Clears a timer: `timer`. One that is due already may still be told. Answer: `number` is 1 where it was set.
    FWS_TIMER_CLEAR = 29,
    /// What was sent to a tag of which a route keeps a history: `tag`, [`limit`], [`since`], [`route`]. `limit` is the most messages, 0: all;
    /// without `since` the last ones, else the first ones after that position, which is a text that a history has given, or empty. `route` may
    /// be left out where only one keeps a history of the tag. Answer: item 0 of `reply` is the position behind the last message that was sent,
    /// item 1 on are the payloads; fws_reply_history and fws_reply_message read the rest.
    FWS_HISTORY = 30,
    /// Forgets what was sent to a tag of which a route keeps a history: `tag`, [`route`]. Answer: `number` is 1 where something was kept.
    FWS_CLEAR_HISTORY = 31,
    /// Says whose a client is: `id`, [`user`], [`value`]. `user` has 1 to 255 bytes; without it the client is nobody's. `value` is what channels
    /// with presence tell of the user, at most 4096 bytes. Answer: `number` is 1.
    FWS_SET_USER = 32,
    /// Starts the closing handshake with the clients of a user: `user`, `code`, [`reason`], [`route`], as FWS_CLOSE. Answer: `number` is how
    /// many.
    FWS_DISCONNECT_USER = 33,
    /// Who is in a channel with presence: `tag`, [`route`]. `route` may be left out where only one has presence for the tag. Answer: the items
    /// of `reply` are user, information, user, information, …, sorted by user; fws_reply_member reads the number of connections, too.
    FWS_PRESENCE = 34,
    /// Sends an event to channels of an application of the Pusher protocol: `channels`, `name`, `data`, [`except_id`], [`app`]. `data` is UTF-8,
    /// `except_id` the socket_id of a connection that is left out, and `app` the id of the application, which may be left out where there is
    /// only one. Answer: `number` is to how many clients of this server it was queued.
    FWS_PUBLISH = 35,
}

use fws_command_kind::*;

impl fws_command_kind {
    /// All kinds, in order; the first is 1.
    pub(crate) const ALL: [fws_command_kind; 35] = [
        FWS_SEND,
        FWS_LIST,
        FWS_COUNT,
        FWS_CLOSE,
        FWS_CLIENT,
        FWS_PING_TIME,
        FWS_PING,
        FWS_KILL,
        FWS_RENAME,
        FWS_ROUTES,
        FWS_STATS,
        FWS_TAG,
        FWS_UNTAG,
        FWS_CLEAR_TAGS,
        FWS_TAGS,
        FWS_SET_INFORMATION,
        FWS_GET_INFORMATION,
        FWS_DELETE_INFORMATION,
        FWS_CLEAR_INFORMATION,
        FWS_ALL_INFORMATION,
        FWS_SEARCH_INFORMATION,
        FWS_VALUE_SET,
        FWS_VALUE_ADD,
        FWS_VALUE_GET,
        FWS_VALUE_DELETE,
        FWS_VALUE_INCREMENT,
        FWS_VALUE_EXPIRY,
        FWS_TIMER_SET,
        FWS_TIMER_CLEAR,
        FWS_HISTORY,
        FWS_CLEAR_HISTORY,
        FWS_SET_USER,
        FWS_DISCONNECT_USER,
        FWS_PRESENCE,
        FWS_PUBLISH,
    ];

    pub(super) fn of(number: u32) -> Option<fws_command_kind> {
        let known = *fws_command_kind::ALL.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        (known as u32 == number).then_some(known)
    }
}
