//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// Counters since the core was started; each only grows.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: AtomicU64,)+
        }

        impl Counters {
            /// All counters by name.
            pub fn to_json(&self) -> Value {
                Value::Object([$((stringify!($name).to_owned(), self.$name.load(Ordering::Relaxed).into())),+].into_iter().collect())
            }
        }
    };
}

counters! {
    /// Connections taken over.
    connections_opened,
    /// Times that a connection broke and its client was waited for.
    connections_suspended,
    /// Times that such a client came back.
    connections_resumed,
    /// Sessions that other servers have got whose clients came back there.
    sessions_given,
    /// Sessions of clients that came back here, from the servers where they were before.
    sessions_taken,
    /// Sessions that were given to other servers and did not arrive there: PHP was told that the clients are gone.
    sessions_astray,
    /// Clients that came with a token and got a new session.
    resumes_refused,
    /// Times that a connection broke and its client was not waited for, as too many others were.
    suspensions_refused,
    /// Clients that cannot come back, as not all that they were sent could be kept.
    resumes_lost,
    /// Times that messages to a channel of several servers were lost, since the connection to Redis was broken for longer than they are kept.
    history_gaps,
    /// Upgrade requests that were refused, for one of the following reasons.
    handshakes_refused,
    /// It was no upgrade request as RFC 6455 has them, or too long.
    handshakes_refused_malformed,
    /// It was for another version of the protocol.
    handshakes_refused_version,
    /// A page of its origin may not connect.
    handshakes_refused_origin,
    /// It offered no sub-protocol that the route speaks.
    handshakes_refused_subprotocol,
    /// Its address had as many connections as it may have.
    handshakes_refused_address,
    /// The route had as many connections as it may have.
    handshakes_refused_full,
    /// Too many events waited for PHP.
    handshakes_refused_overload,
    /// The server was ending, or the route not in force.
    handshakes_refused_unavailable,
    /// The host refused it: the site itself, by authorize.
    handshakes_refused_host,
    /// Clients of the Pusher protocol that were refused after their handshake.
    pusher_connections_refused,
    /// Events that clients of the Pusher protocol have sent to others.
    pusher_client_events,
    /// Events that were published to channels of the Pusher protocol: one to several channels counts for each.
    pusher_events,
    /// Events of the Pusher protocol that a worker was not told, since too much waited.
    pusher_events_not_told,
    /// Calls of the Pusher protocol's HTTP API.
    pusher_calls,
    /// Calls of it that were refused.
    pusher_calls_refused,
    /// Messages received from clients.
    messages_received,
    /// Bytes received from clients, frame headers included.
    bytes_received,
    /// Messages put into outboxes: by commands, and by the echo.
    messages_sent,
    /// Bytes that sockets took.
    bytes_sent,
    /// Messages dropped because the client's outbox was full, or the client was closing.
    messages_dropped,
    /// Messages that went out compressed.
    messages_compressed,
    /// Bytes by which those were shorter than they are.
    compression_bytes_saved,
    /// Clients closed because they do not read as fast as they are sent to.
    slow_clients_closed,
    /// Times that a client was not read for a while because it sent faster than it may.
    rate_limit_delays,
    /// Connections failed because the client broke the protocol or a limit.
    violations,
    /// Clients closed because unfinished messages took as much as they may, and their address held most.
    unfinished_refused,
    /// Times that a client was not read for a while, since events that waited for PHP took as much as they may.
    events_held_back,
    /// Clients closed because they did not finish a message in time.
    message_timeouts,
    /// Clients closed because their compressed messages refer to what had been given up.
    compression_windows_missed,
    /// Events queued for PHP.
    events_queued,
    /// Events handed to PHP.
    events_delivered,
    /// Events that PHP handled.
    events_acknowledged,
    /// Events on which PHP failed.
    events_failed,
    /// Events that nobody was there to handle: their worker left with a reload.
    events_dropped,
    /// Messages that PHP was not told, since the server had decided to end their connection.
    messages_discarded,
    /// Timers that were due and queued for PHP.
    timers_fired,
    /// Timers that were due again before PHP had handled them the last time.
    timers_skipped,
    /// Timers cleared because their worker left with a reload.
    timers_dropped,
    /// Bells handed out to be rung.
    bells_rung,
    /// Bells that were answered without asking for an event.
    bells_unanswered,
    /// Bells that never reached PHP.
    bells_abandoned,
    /// Clients that came to the control socket.
    control_clients,
    /// Clients of the control socket that were cut off: other users, and clients that broke a limit.
    control_clients_cut,
    /// Commands that came by the control socket.
    control_commands,
}

/// Handshakes that the host puts to the site before it opens them. The host queues and counts them; the core shows the numbers beside
/// its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authorizing {
    /// Those that wait for their turn.
    pub waiting: u64,
    /// Those that are with the site, given up or not.
    pub running: u64,
    /// Those that were put to the site since the start.
    pub asked: u64,
    /// Those whose client left, or whose time ran out, since the start.
    pub given_up: u64,
    /// Those that were refused at once since the start, as their turn would have come too late.
    pub refused_busy: u64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
