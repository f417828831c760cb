//! What is known of a client, and how often it is pinged.

use fws_hub::command::{Describe, Ping, PingTime};
use fws_hub::{Client, Command, Pinging};

use crate::bytes::{fws_reply, text};
use crate::command::{Out, run, run_explained};
use crate::result::fws_result::{self, *};
use crate::result::{fws_error, guard};

/// What is known of a client, as far as it is numbers.
#[repr(C)]
pub struct fws_client {
    /// It is connected; where not, its close event is still to be handled.
    pub connected: bool,
    /// When it connected, milliseconds since 1970.
    pub connected_at: u64,
    /// When its last message came, milliseconds since 1970; 0 before the first.
    pub last_message_at: u64,
    /// Messages received from it.
    pub messages_received: u64,
    /// Bytes received from it, frame headers included.
    pub bytes_received: u64,
    /// Messages put into its outbox.
    pub messages_sent: u64,
    /// Bytes that its socket took.
    pub bytes_sent: u64,
    /// Bytes that wait for it.
    pub queued_bytes: u64,
    /// How long its last pong took, nanoseconds; 0 before the first.
    pub ping_time: u64,
    /// Messages to it that were dropped because it does not read as fast as it is sent to.
    pub messages_dropped: u64,
    /// Messages from it that PHP was not told, since the server had decided to end it.
    pub messages_discarded: u64,
}

impl fws_client {
    pub(crate) fn of(client: &Client) -> fws_client {
        fws_client {
            connected: client.connected,
            connected_at: client.connected_at,
            last_message_at: client.last_message_at.unwrap_or(0),
            messages_received: client.messages_received,
            bytes_received: client.bytes_received,
            messages_sent: client.messages_sent,
            bytes_sent: client.bytes_sent,
            queued_bytes: client.queued_bytes,
            ping_time: client.ping_time.unwrap_or(0),
            messages_dropped: client.messages_dropped,
            messages_discarded: client.messages_discarded,
        }
    }

    pub(crate) fn strings(client: Client) -> *mut fws_reply {
        let Client { id, route, path, ip, subprotocol, transport, tags, .. } = client;
        let first = [id.as_bytes(), route.as_bytes(), &path, ip.as_bytes(), subprotocol.as_bytes(), transport.as_bytes()];
        fws_reply::strings(first.into_iter().chain(tags.iter().map(|tag| tag.as_bytes())).map(Box::from).collect())
    }
}

/// What is known of a client, until its close event has been handled. The items of `strings`: its id, the name of its route, the path of
/// its request (byte for byte as sent), its address, its sub-protocol (empty where there is none), its transport (`tcp`, `tls`, `http2`, `http3`), and from
/// item 6 on its tags, sorted. FWS_END: the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_get(id: *const u8, id_len: usize, facts: *mut fws_client, strings: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or valid places.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Client(Describe { id: text(id, id_len)? }));
        run(command(), Out::Client(facts, strings))
    })
}

/// How long a client's last pong took, in nanoseconds; 0 before the first. FWS_END: the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_ping_time(id: *const u8, id_len: usize, nanoseconds: *mut i64) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::PingTime(PingTime { id: text(id, id_len)? }));
        run(command(), Out::Integer(nanoseconds))
    })
}

/// Pings a client at once, and then every `interval_ms` milliseconds, 100 to 86,400,000, silent or not; 0: then as its route says, after so
/// long a silence.
/// `found` receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_ping_enable(
    id: *const u8,
    id_len: usize,
    interval_ms: u32,
    found: *mut bool,
    error: *mut *mut fws_error,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or valid places.
    guard(FWS_ERR_PANIC, || unsafe {
        let how = if interval_ms == 0 { Pinging::Route } else { Pinging::Every(interval_ms) };
        let command = || Ok(Command::Ping(Ping { id: text(id, id_len)?, how }));
        run_explained(command(), Out::Flag(found), error)
    })
}

/// Pings a client no more. `found` receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_ping_disable(id: *const u8, id_len: usize, found: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Ping(Ping { id: text(id, id_len)?, how: Pinging::Off }));
        run(command(), Out::Flag(found))
    })
}
