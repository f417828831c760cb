//! What a route asks of its connections.

use crate::{BacklogSettings, Millis, RateLimit};

/// What a route asks of its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The longest message a client may send, bytes.
    pub max_message_size: u64,
    /// The longest frame a client may send, bytes.
    pub max_frame_size: u64,
    /// How much may wait for a client. They are not for the session, but for its [`Backlog`](crate::Backlog).
    pub backlog: BacklogSettings,
    /// How long a client that asked for it may stay away without being closed; 0: not at all.
    pub resume_window: Millis,
    /// How fast the client may send.
    pub rate_limit: Option<RateLimit>,
    /// A client that sends no message for so long is closed with 1001, pings or not; 0: never.
    pub idle_timeout: Millis,
    /// After so long, ± 10 %, the connection is closed with 1001; 0: never.
    pub max_lifetime: Millis,
    /// A message that is not whole after so long, and a second more for each 1,000 bytes of it that came, ends its connection; 0: never.
    pub message_timeout: Millis,
    /// A client silent for so long is pinged; 0: never.
    pub ping_interval: Millis,
    /// A client that is silent for so long after a ping is cut.
    pub pong_timeout: Millis,
    /// How long the client's close frame is waited for, from the last time that the client took something of what waits before ours.
    pub close_timeout: Millis,
    /// How long the client's end of the TCP connection is waited for after the last byte was sent.
    pub linger: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_message_size: 1 << 20,
            max_frame_size: u64::MAX,
            backlog: BacklogSettings::default(),
            resume_window: 0,
            rate_limit: None,
            idle_timeout: 0,
            max_lifetime: 0,
            message_timeout: 30_000,
            ping_interval: 25_000,
            pong_timeout: 20_000,
            close_timeout: 5_000,
            linger: 2_000,
        }
    }
}
