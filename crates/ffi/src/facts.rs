//! What is known of a client, as C reads it.

use fws_hub::Client;

/// What is known of a client, as far as it is numbers.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct fws_client {
    /// It is connected; where not, its close event is still to be handled.
    pub connected: bool,
    /// Its connection broke, and it is waited for.
    pub suspended: bool,
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
            suspended: client.suspended,
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

    /// What is known of it that is no number, in the order that FWS_CLIENT documents.
    pub(crate) fn strings(client: Client) -> Vec<Box<[u8]>> {
        let Client { id, route, path, ip, subprotocol, transport, user, tags, .. } = client;
        let facts = [&id, &route, &*ip, &*subprotocol, &*transport, &*user].map(str::as_bytes);
        let [id, route, ip, subprotocol, transport, user] = facts;
        let first = [id, route, &*path, ip, subprotocol, transport, user];
        first.into_iter().chain(tags.iter().map(|tag| tag.as_bytes())).map(Box::from).collect()
    }
}
