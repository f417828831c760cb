//! Close codes and the body of a close frame (RFC 6455, 5.5.1 and 7.4).

use crate::Error;

/// 1000: the purpose of the connection is fulfilled.
pub const NORMAL: u16 = 1000;
/// 1001: the server is going down, or the page was left.
pub const GOING_AWAY: u16 = 1001;
/// 1002: the peer broke the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// 1005: never sent; stands for "the close frame had no code".
pub const NO_STATUS: u16 = 1005;
/// 1006: never sent; stands for "the connection was cut without a close frame".
pub const ABNORMAL: u16 = 1006;
/// 1007: data that does not fit its type, such as text that is not UTF-8.
pub const INVALID_PAYLOAD: u16 = 1007;
/// 1008: refused by policy.
pub const POLICY: u16 = 1008;
/// 1009: a message too big to process.
pub const TOO_BIG: u16 = 1009;
/// 1011: the server met a condition that kept it from fulfilling the request.
pub const INTERNAL_ERROR: u16 = 1011;
/// The server cannot serve the client for now; it may come back (registered with IANA).
pub const TRY_AGAIN_LATER: u16 = 1013;

/// The longest reason: a control frame's 125 bytes less the code's two.
pub const MAX_REASON: usize = 123;

/// Whether an endpoint may send this code.
///
/// RFC 6455, 7.4: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control frame by an endpoint"; 1004 has no
/// meaning; 1012 to 1014 were registered with IANA later; 3000 to 3999 are for libraries, 4000 to 4999 private.
pub fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What a close frame said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code; [`NO_STATUS`] where the frame had no body.
    pub code: u16,
    /// The reason, possibly empty, at most [`MAX_REASON`] bytes.
    pub reason: String,
}

/// Reads the body of a received close frame.
pub fn parse(body: &[u8]) -> Result<CloseFrame, Error> {
    let [high, low, reason @ ..] = body else {
        // RFC 6455, 5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer".
        return if body.is_empty() { Ok(CloseFrame { code: NO_STATUS, reason: String::new() }) } else { Err(Error::CloseBodyTooShort) };
    };
    let code = u16::from_be_bytes([*high, *low]);
    if !is_sendable(code) {
        return Err(Error::InvalidCloseCode(code));
    }
    match simdutf8::basic::from_utf8(reason) {
        Ok(reason) => Ok(CloseFrame { code, reason: reason.to_owned() }),
        Err(_) => Err(Error::CloseReasonNotUtf8),
    }
}

/// Writes the body of a close frame. [`NO_STATUS`] gives an empty body; a reason beyond [`MAX_REASON`] bytes is cut at a character.
pub fn body(code: u16, reason: &str) -> Vec<u8> {
    if code == NO_STATUS {
        return Vec::new();
    }
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut body = Vec::with_capacity(2 + end);
    body.extend_from_slice(&code.to_be_bytes());
    body.extend_from_slice(&reason.as_bytes()[..end]);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_must_not_be_sent_are_refused() {
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
            assert_eq!(parse(&code.to_be_bytes()), Err(Error::InvalidCloseCode(code)), "{code}");
        }
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(parse(&u16::to_be_bytes(code)).map(|c| c.code), Ok(code));
        }
    }

    #[test]
    fn a_body_of_one_byte_is_a_violation_and_none_is_not() {
        assert_eq!(parse(&[3]), Err(Error::CloseBodyTooShort));
        assert_eq!(parse(&[]), Ok(CloseFrame { code: NO_STATUS, reason: String::new() }));
    }

    #[test]
    fn a_reason_must_be_utf8_and_is_cut_at_a_character() {
        assert_eq!(parse(&[3, 232, 0xff]), Err(Error::CloseReasonNotUtf8));
        assert_eq!(Error::CloseReasonNotUtf8.to_string(), "the reason of a close frame is not UTF-8");
        assert_eq!(Error::CloseReasonNotUtf8.close_code(), INVALID_PAYLOAD);
        let long = "é".repeat(100);
        let written = body(NORMAL, &long);
        assert_eq!(written.len(), 2 + 122);
        assert_eq!(parse(&written).map(|c| c.reason), Ok("é".repeat(61)));
    }
}
