//! How far a reader of a history is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a reader has read: a text as `5f0c2a91d3b74e68:12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The epoch.
    pub epoch: u64,
    /// The offset of the last message that was read; 0: none.
    pub offset: u64,
}

impl Position {
    /// Before the first message of any epoch.
    pub const BEGINNING: Position = Position { epoch: 0, offset: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}:{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Position, InvalidPosition> {
        if text.is_empty() {
            return Ok(Position::BEGINNING);
        }
        let (epoch, offset) = text.split_once(':').ok_or(InvalidPosition)?;
        let digits = |text: &str, fits: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| fits(&byte));
        if epoch.len() != 16 || !digits(epoch, u8::is_ascii_hexdigit) || !digits(offset, u8::is_ascii_digit) {
            return Err(InvalidPosition);
        }
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| InvalidPosition)?;
        Ok(Position { epoch, offset: offset.parse().map_err(|_| InvalidPosition)? })
    }
}

/// A text that is no [`Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("a position is a text that a history has given, as \"5f0c2a91d3b74e68:12\", or empty for all that is kept")]
pub struct InvalidPosition;
