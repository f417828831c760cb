//! What can go wrong with what a peer sends on an open connection.

/// A violation by the peer, or no memory ([`Error::NoRoom`], [`Error::WindowLost`]) for what it sends. The connection is to be failed (RFC 6455, 7.1.7) with
/// [`Error::close_code`]; nothing that arrives afterwards is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// RFC 6455, 5.1: "a client MUST mask all frames that it sends to the server".
    #[error("a frame from the client is not masked")]
    Unmasked,
    /// RFC 6455, 5.2: a reserved bit "MUST be 0 unless an extension is negotiated".
    #[error("a reserved bit is set without an extension that defines it")]
    ReservedBit,
    /// RFC 6455, 5.2: opcodes 3 to 7 and 11 to 15 are reserved.
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// RFC 6455, 5.5: control frames "MUST have a payload length of 125 bytes or less".
    #[error("a control frame has more than 125 bytes")]
    ControlTooLong,
    /// RFC 6455, 5.5: control frames "MUST NOT be fragmented".
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// RFC 6455, 5.2: "the minimal number of bytes MUST be used to encode the length".
    #[error("a frame's length is not encoded in the fewest bytes")]
    LengthNotMinimal,
    /// RFC 6455, 5.2: of a 64-bit length "the most significant bit MUST be 0".
    #[error("a frame's 64-bit length has its top bit set")]
    LengthTopBit,
    /// RFC 6455, 5.4: a continuation without a message to continue.
    #[error("a continuation frame without a message to continue")]
    ContinuationWithoutStart,
    /// RFC 6455, 5.4: a new message before the last one was finished.
    #[error("a new message begins before the last one is finished")]
    MessageInterleaved,
    /// RFC 6455, 8.1: text that is not UTF-8.
    #[error("a text message is not UTF-8")]
    InvalidUtf8,
    /// The message is longer than this server accepts.
    #[error("a message is longer than {limit} bytes")]
    MessageTooLong {
        /// The configured limit, bytes.
        limit: u64,
    },
    /// One frame is longer than this server accepts.
    #[error("a frame is longer than {limit} bytes")]
    FrameTooLong {
        /// The configured limit, bytes.
        limit: u64,
    },
    /// The unfinished messages of all connections together take as much as they may: see [`Budget`](crate::Budget).
    #[error("there is no room for more of this message: too many messages are unfinished")]
    NoRoom,
    /// What the client has sent before, and refers to, had to be given up: see [`Shelf`](crate::deflate::Shelf).
    #[error("the memory for what compressed messages refer to is used up, and this client's was given up")]
    WindowLost,
    /// RFC 7692, 7.2.2: what is left of a compressed message is not DEFLATE.
    #[error("a compressed message cannot be decompressed")]
    CorruptDeflate,
    /// RFC 6455, 5.5.1: a body has at least the two bytes of the code.
    #[error("a close frame has a body of one byte")]
    CloseBodyTooShort,
    /// RFC 6455, 5.5.1: the rest of the body is a reason, "UTF-8-encoded data".
    #[error("the reason of a close frame is not UTF-8")]
    CloseReasonNotUtf8,
    /// RFC 6455, 7.4: a code that must not be sent.
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(u16),
}

/// Whose fault an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The peer broke the protocol or a limit.
    Peer,
    /// There is no room for what it sends.
    NoRoom,
    /// There was no room for what it refers to.
    WindowLost,
}

impl Error {
    /// Whose fault it is.
    pub fn fault(self) -> Fault {
        match self {
            Error::NoRoom => Fault::NoRoom,
            Error::WindowLost => Fault::WindowLost,
            Error::Unmasked
            | Error::ReservedBit
            | Error::ReservedOpcode(_)
            | Error::ControlTooLong
            | Error::ControlFragmented
            | Error::LengthNotMinimal
            | Error::LengthTopBit
            | Error::ContinuationWithoutStart
            | Error::MessageInterleaved
            | Error::InvalidUtf8
            | Error::MessageTooLong { .. }
            | Error::FrameTooLong { .. }
            | Error::CorruptDeflate
            | Error::CloseBodyTooShort
            | Error::CloseReasonNotUtf8
            | Error::InvalidCloseCode(_) => Fault::Peer,
        }
    }

    /// The code for our close frame (RFC 6455, 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            // Frames and their bits are right, what they carry is not what the message says it is: RFC 6455, 7.4.1 has 1007 for "data
            // within a message that was not consistent with the type of the message"; RFC 7692 names no code.
            Error::InvalidUtf8 | Error::CloseReasonNotUtf8 | Error::CorruptDeflate => crate::close::INVALID_PAYLOAD,
            Error::MessageTooLong { .. } | Error::FrameTooLong { .. } => crate::close::TOO_BIG,
            Error::NoRoom | Error::WindowLost => crate::close::TRY_AGAIN_LATER,
            Error::Unmasked
            | Error::ReservedBit
            | Error::ReservedOpcode(_)
            | Error::ControlTooLong
            | Error::ControlFragmented
            | Error::LengthNotMinimal
            | Error::LengthTopBit
            | Error::ContinuationWithoutStart
            | Error::MessageInterleaved
            | Error::CloseBodyTooShort
            | Error::InvalidCloseCode(_) => crate::close::PROTOCOL_ERROR,
        }
    }
}
