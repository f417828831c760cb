//! All that can be wrong, who caused it, and what becomes of it.
//!
//! One list serves connections and calls of the HTTP API, as they share channels, signatures and applications. [`Error::code`] is what a
//! client is told in `pusher:error`, [`Error::status`] what a call is answered with. The text is for the people who write clients.

/// The codes of `pusher:error`, most of which are also codes of the WebSocket's close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Code {
    /// The application takes connections over TLS only.
    TlsOnly = 4000,
    /// No application has this key.
    UnknownApp = 4001,
    /// The application is switched off.
    AppDisabled = 4003,
    /// The application has as many connections as it may have.
    OverQuota = 4004,
    /// The path is not that of a connection.
    PathNotFound = 4005,
    /// The version of the protocol is not a number.
    InvalidVersion = 4006,
    /// The version of the protocol is not spoken here.
    UnsupportedVersion = 4007,
    /// The client did not say which version of the protocol it speaks.
    MissingVersion = 4008,
    /// The connection may not be there, or not any longer.
    Unauthorized = 4009,
    /// The server has no room.
    OverCapacity = 4100,
    /// The client should connect again, for whatever reason.
    Reconnect = 4200,
    /// The client did not answer a ping.
    NoPong = 4201,
    /// The client was silent for too long.
    Inactive = 4202,
    /// A client event was refused: too many of them, or none are allowed.
    ClientEventRefused = 4301,
    /// A user has more others on the watchlist than is allowed.
    WatchlistTooLong = 4302,
}

/// What a client does when it is told a code. It depends on the hundred only, so that clients know codes that are newer than they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// It connects again at once, over TLS.
    UseTls,
    /// It stays away: the same connection would be refused again.
    GiveUp,
    /// It connects again after a second or more.
    BackOff,
    /// It connects again at once.
    Reconnect,
    /// It tells its application; the connection stays.
    Stay,
}

impl Code {
    /// All codes.
    pub const ALL: [Code; 15] = [
        Code::TlsOnly,
        Code::UnknownApp,
        Code::AppDisabled,
        Code::OverQuota,
        Code::PathNotFound,
        Code::InvalidVersion,
        Code::UnsupportedVersion,
        Code::MissingVersion,
        Code::Unauthorized,
        Code::OverCapacity,
        Code::Reconnect,
        Code::NoPong,
        Code::Inactive,
        Code::ClientEventRefused,
        Code::WatchlistTooLong,
    ];

    /// The number, as it is sent.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// What the client does.
    pub fn reaction(self) -> Reaction {
        match self.number() {
            4000 => Reaction::UseTls,
            ..4100 => Reaction::GiveUp,
            4100..4200 => Reaction::BackOff,
            4200..4300 => Reaction::Reconnect,
            4300.. => Reaction::Stay,
        }
    }

    /// Whether the connection ends. A close with one of the others would make pusher-js give up.
    pub fn closes(self) -> bool {
        self.reaction() != Reaction::Stay
    }
}

/// What was wrong. What a client chose is shortened where it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A client connects without TLS.
    #[error("this application takes connections over TLS only: connect with wss://")]
    TlsOnly,
    /// A client or a call names an application that is not here.
    #[error("there is no application {0:?} here")]
    UnknownApp(String),
    /// The operator has switched the application off.
    #[error("the application is switched off")]
    AppDisabled,
    /// The application has too many connections.
    #[error("the application has as many connections as it may have")]
    OverQuota,
    /// The path is neither that of a connection nor that of a call.
    #[error("there is nothing at this path: clients connect to /app/KEY, and calls go to /apps/ID/…")]
    PathNotFound,
    /// A client's `protocol` is not a number.
    #[error("the parameter protocol is not a number")]
    InvalidVersion,
    /// A client speaks another version.
    #[error("version {0} of the protocol is not spoken here: versions 5 to 7 are")]
    UnsupportedVersion(u32),
    /// A client did not say what it speaks.
    #[error("the parameter protocol is missing: connect with ?protocol=7")]
    MissingVersion,
    /// A page of this origin may not connect.
    #[error("pages of this origin may not connect to the application")]
    OriginNotAllowed,
    /// A sign-in that is not the application's.
    #[error("the sign-in is refused: {0}")]
    SignInRefused(&'static str),
    /// The application asks of clients that they show in time who they are.
    #[error("the connection was not authorised in time: sign in, or subscribe to a private channel")]
    NotAuthorizedInTime,
    /// The application has ended the connections of a user.
    #[error("the application has ended the connections of this user")]
    Terminated,
    /// The server has no room.
    #[error("the server has no room for another connection")]
    OverCapacity,
    /// The server or the route ends.
    #[error("the server restarts: connect again")]
    Reconnect,
    /// No answer to a ping.
    #[error("no answer to a ping")]
    NoPong,
    /// Nothing from the client for too long.
    #[error("the connection was silent for too long")]
    Inactive,

    /// More client events than the rate allows.
    #[error("client event rejected: more than {0} in a second")]
    TooManyClientEvents(u32),
    /// The operator allows no client events.
    #[error("client event rejected: the application does not have client events enabled")]
    ClientEventsDisabled,
    /// A user's watchlist is too long.
    #[error("the watchlist has more than {0} users")]
    WatchlistTooLong(usize),
    /// Not a message of the protocol.
    #[error("invalid message: {0}")]
    InvalidMessage(&'static str),
    /// A second subscription to the same channel.
    #[error("Existing subscription to channel {0}")]
    AlreadySubscribed(String),
    /// A second sign-in.
    #[error("the connection is signed in already")]
    AlreadySignedIn,
    /// A client event where there are none.
    #[error("client event rejected: they are for private and presence channels only, and not for encrypted ones")]
    NoClientEventsHere,
    /// A client event for a channel that its sender has not subscribed to.
    #[error("Cannot broadcast client event (connection not subscribed to channel {0})")]
    NotSubscribed(String),

    /// Not the name of a channel.
    #[error("invalid channel name: {0}")]
    InvalidChannel(&'static str),
    /// The connection has too many channels.
    #[error("the connection has {0} channels, which is the most")]
    TooManyChannels(usize),
    /// The channel is not for this client: the signature is missing or wrong.
    #[error("the subscription is not authorised: {0}")]
    NotAuthorized(&'static str),
    /// The member of a presence channel is not described as it must be.
    #[error("invalid channel_data: {0}")]
    InvalidMember(&'static str),
    /// A presence channel has as many members as it may have.
    #[error("the channel has {0} members, which is the most")]
    ChannelFull(usize),

    /// A client enters presence channels again and again.
    #[error("presence channels were entered too often: {0} in a second are allowed")]
    TooManyArrivals(u32),

    /// What is sent is larger than the application may send.
    #[error("the {what} is larger than {most} bytes, which is the most")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The most bytes.
        most: usize,
    },
    /// A call that is not signed as it must be.
    #[error("{0}")]
    Unauthenticated(String),
    /// A call that is not as it must be.
    #[error("{0}")]
    InvalidCall(String),
    /// The body of a call did not come in time.
    #[error("the body of the call did not come in time: send it at once")]
    BodyLate,
    /// The bodies of other calls take what all of them together may.
    #[error("the bodies of other calls take all the memory that they may: try again later")]
    NoRoomForBody,
    /// What is needed of other servers cannot be had now.
    #[error("the server cannot reach what it needs for this: try again later")]
    Unavailable,
    /// The path of a call, with a method that it does not have.
    #[error("this path takes {0} only")]
    WrongMethod(&'static str),
}

impl Error {
    /// The code of `pusher:error`. `None`: the event has the code `null`, as Pusher's has, and the connection stays.
    pub fn code(&self) -> Option<Code> {
        Some(match self {
            Error::TlsOnly => Code::TlsOnly,
            Error::UnknownApp(_) => Code::UnknownApp,
            Error::AppDisabled => Code::AppDisabled,
            Error::OverQuota => Code::OverQuota,
            Error::PathNotFound => Code::PathNotFound,
            Error::InvalidVersion => Code::InvalidVersion,
            Error::UnsupportedVersion(_) => Code::UnsupportedVersion,
            Error::MissingVersion => Code::MissingVersion,
            Error::OriginNotAllowed | Error::SignInRefused(_) | Error::NotAuthorizedInTime | Error::Terminated => Code::Unauthorized,
            Error::OverCapacity => Code::OverCapacity,
            Error::Reconnect => Code::Reconnect,
            Error::NoPong => Code::NoPong,
            Error::Inactive => Code::Inactive,
            Error::TooManyClientEvents(_) | Error::ClientEventsDisabled => Code::ClientEventRefused,
            Error::WatchlistTooLong(_) => Code::WatchlistTooLong,
            Error::InvalidMessage(_)
            | Error::AlreadySubscribed(_)
            | Error::AlreadySignedIn
            | Error::NoClientEventsHere
            | Error::NotSubscribed(_)
            | Error::InvalidChannel(_)
            | Error::TooManyChannels(_)
            | Error::NotAuthorized(_)
            | Error::InvalidMember(_)
            | Error::ChannelFull(_)
            | Error::TooManyArrivals(_)
            | Error::TooLarge { .. }
            | Error::Unauthenticated(_)
            | Error::InvalidCall(_)
            | Error::BodyLate
            | Error::NoRoomForBody
            | Error::Unavailable
            | Error::WrongMethod(_) => return None,
        })
    }

    /// The code and the reason of the close that follows `pusher:error`. `None`: the connection stays.
    pub fn close(&self) -> Option<(Code, String)> {
        let code = self.code().filter(|code| code.closes())?;
        let mut reason = self.to_string();
        // RFC 6455, 5.5: the payload of a control frame is at most 125 bytes. Two of them are the code.
        reason.truncate(boundary(&reason, 123));
        Some((code, reason))
    }

    /// The status of HTTP: that of a call's answer, and what `pusher:subscription_error` says.
    pub fn status(&self) -> u16 {
        match self {
            Error::NotAuthorized(_) | Error::Unauthenticated(_) | Error::SignInRefused(_) => 401,
            Error::AppDisabled
            | Error::TlsOnly
            | Error::OriginNotAllowed
            | Error::OverQuota
            | Error::TooManyChannels(_)
            | Error::ChannelFull(_)
            | Error::NotAuthorizedInTime
            | Error::Terminated => 403,
            Error::UnknownApp(_) | Error::PathNotFound => 404,
            Error::WrongMethod(_) => 405,
            Error::BodyLate => 408,
            Error::TooLarge { .. } => 413,
            Error::TooManyClientEvents(_) | Error::TooManyArrivals(_) => 429,
            Error::OverCapacity | Error::Reconnect | Error::NoPong | Error::Inactive | Error::Unavailable | Error::NoRoomForBody => 503,
            Error::InvalidVersion
            | Error::UnsupportedVersion(_)
            | Error::MissingVersion
            | Error::ClientEventsDisabled
            | Error::WatchlistTooLong(_)
            | Error::InvalidMessage(_)
            | Error::AlreadySubscribed(_)
            | Error::AlreadySignedIn
            | Error::NoClientEventsHere
            | Error::NotSubscribed(_)
            | Error::InvalidChannel(_)
            | Error::InvalidMember(_)
            | Error::InvalidCall(_) => 400,
        }
    }

    /// The `type` of `pusher:subscription_error`.
    pub fn kind(&self) -> &'static str {
        match self.status() {
            401 => "AuthError",
            403 | 413 | 429 => "LimitReached",
            _ => "SubscriptionError",
        }
    }
}

/// The beginning of what a client chose, for a text.
pub(crate) fn shortened(text: &str) -> String {
    let end = boundary(text, 200);
    if end == text.len() { text.to_owned() } else { format!("{}…", &text[..end]) }
}

/// The end of the last whole character within so many bytes.
fn boundary(text: &str, most: usize) -> usize {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_below_4300_end_a_connection() {
        for code in Code::ALL {
            assert_eq!(code.closes(), code.number() < 4300, "{code:?}");
        }
        let reactions: Vec<Reaction> =
            [Code::TlsOnly, Code::UnknownApp, Code::OverCapacity, Code::NoPong, Code::WatchlistTooLong].map(Code::reaction).into();
        assert_eq!(reactions, [Reaction::UseTls, Reaction::GiveUp, Reaction::BackOff, Reaction::Reconnect, Reaction::Stay]);
    }

    #[test]
    fn the_reason_of_a_close_fits_its_frame() {
        let (code, reason) = Error::UnknownApp("é".repeat(200)).close().expect("it ends the connection");
        assert_eq!((code, reason.len()), (Code::UnknownApp, 123));
        assert_eq!(Error::ClientEventsDisabled.close(), None);
        assert_eq!(Error::InvalidMessage("x").close(), None);
    }

    #[test]
    fn a_subscription_is_refused_with_a_kind_that_applications_know() {
        for (error, kind, status) in [
            (Error::NotAuthorized("x"), "AuthError", 401),
            (Error::TooManyChannels(1), "LimitReached", 403),
            (Error::TooLarge { what: "x", most: 1 }, "LimitReached", 413),
            (Error::InvalidChannel("x"), "SubscriptionError", 400),
        ] {
            assert_eq!((error.kind(), error.status(), error.code()), (kind, status, None));
        }
    }

    #[test]
    fn what_a_client_chose_is_shortened_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"é".repeat(300));
        assert_eq!(long.chars().count(), 101);
        assert!(long.ends_with('…'));
    }
}
