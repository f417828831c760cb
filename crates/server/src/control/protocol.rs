//! What is said on the control socket.
//!
//! Each side begins with a greeting of fixed length, so that versions which differ can say so. Then the client sends commands, and the
//! server its answers in the same order, without waiting for each other: each is a frame, four bytes of length (little-endian) and then
//! the value in postcard's encoding.

use std::ops::Range;

use fws_hub::{Command, CommandError, Reply};
use serde::{Deserialize, Serialize};

const MAGIC: [u8; 8] = *b"fwsctrl\n";
/// Changed with everything that older programs would not understand: a command, a reply, a frame. The tests keep the bytes of this version
/// in tests/golden/control.txt, and fail when they change.
pub const VERSION: u32 = 14;
/// The length of a greeting: magic, version, and the library's version, filled up with NUL.
pub const GREETING: usize = 32;
/// The longest command, bytes. It bounds what a client can make the server hold.
pub const MAX_COMMAND: usize = 64 << 20;
/// What stands before a frame.
const PREFIX: usize = 4;

/// What a program says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    version: u32,
    library: String,
}

impl Greeting {
    /// Ours.
    pub fn own() -> Greeting {
        Greeting { version: VERSION, library: env!("CARGO_PKG_VERSION").into() }
    }

    pub fn encode(&self) -> [u8; GREETING] {
        let mut bytes = [0; GREETING];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        let library = &self.library.as_bytes()[..self.library.len().min(GREETING - 12)];
        bytes[12..12 + library.len()].copy_from_slice(library);
        bytes
    }

    /// `None`: whoever that is, it is none of ours.
    pub fn decode(bytes: &[u8; GREETING]) -> Option<Greeting> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (version, library) = rest.split_first_chunk()?;
        let library = String::from_utf8_lossy(library).trim_end_matches('\0').escape_debug().to_string();
        Some(Greeting { version: u32::from_le_bytes(*version), library })
    }

    /// What is wrong between the two, if anything is.
    pub fn mismatch(&self, other: &Greeting) -> Option<String> {
        (self.version != other.version).then(|| {
            format!(
                "it is frankenphp-ws {} and speaks version {} of the control protocol; this is {} and speaks version {}",
                other.library, other.version, self.library, self.version
            )
        })
    }
}

/// What the server says to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Reply(Reply),
    /// It was refused.
    Refused(CommandError),
    /// The server ends the connection, for this reason; the command was not carried out, and none behind it.
    Goodbye(String),
    /// The server does not serve this client, for this reason.
    Denied(String),
}

/// Commands on their way, encoded.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    count: usize,
}

impl Batch {
    /// Puts a command behind the others; false, and nothing is changed: it is longer than [`MAX_COMMAND`].
    pub fn push(&mut self, command: &Command<'_>) -> bool {
        let start = self.bytes.len();
        write(&mut self.bytes, command);
        let fits = self.bytes.len() - start - PREFIX <= MAX_COMMAND;
        if fits {
            self.count += 1;
        } else {
            self.bytes.truncate(start);
        }
        fits
    }

    /// How many commands.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The commands as they are sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets all, and gives back memory that only an unusual command needed.
    pub fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
}

/// What buffers keep when they are empty.
const KEPT: usize = 256 << 10;

/// Writes a frame.
pub fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    *out = postcard::to_extend(value, std::mem::take(out)).expect("bug: a value that cannot be encoded");
    let len = u32::try_from(out.len() - start - PREFIX).expect("bug: a frame of more than 4 GiB");
    out[start..start + PREFIX].copy_from_slice(&len.to_le_bytes());
}

/// Reads what [`write`] has written.
pub fn read<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, String> {
    match postcard::take_from_bytes(frame) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes too many", rest.len())),
        Err(why) => Err(why.to_string()),
    }
}

/// Received bytes, of which whole frames are taken.
#[derive(Debug, Default)]
pub struct Frames {
    /// Filled at its end by whoever receives.
    pub buffer: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// The next frame, if it is whole. `Err`: it is longer than it may be.
    pub fn next(&mut self, most: usize) -> Result<Option<Range<usize>>, usize> {
        let rest = &self.buffer[self.taken..];
        let Some((prefix, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let len = u32::from_le_bytes(*prefix) as usize;
        if len > most {
            return Err(len);
        }
        if rest.len() < len {
            return Ok(None);
        }
        let start = self.taken + PREFIX;
        self.taken = start + len;
        Ok(Some(start..start + len))
    }

    /// Forgets the frames that were taken. The buffer then begins with what came of the next one.
    pub fn compact(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fws_hub::Target;
    use fws_hub::command::{Get, SendTo};

    #[test]
    fn greetings_are_told_from_anything_else() {
        let own = Greeting::own();
        assert_eq!(Greeting::decode(&own.encode()), Some(own.clone()));
        assert_eq!(Greeting::decode(b"GET / HTTP/1.1\r\nHost: localhos\r\n"), None);
        let other = Greeting { version: VERSION + 1, library: "9.9.9".into() };
        assert_eq!(own.mismatch(&own), None);
        let why = own.mismatch(&Greeting::decode(&other.encode()).expect("ours")).expect("another version");
        assert!(why.contains(&format!("9.9.9 and speaks version {}", VERSION + 1)) && why.contains(&format!("version {VERSION}")), "{why}");
    }

    #[test]
    fn the_version_is_that_of_the_bytes_that_are_kept() {
        let golden = include_str!("../../tests/golden/control.txt");
        assert_eq!(golden.lines().next(), Some(&*format!("version {VERSION}")));
        let answers =
            [Answer::Reply(Reply::Done), Answer::Refused(CommandError::InvalidId), Answer::Goodbye("g".into()), Answer::Denied("d".into())];
        let mut bytes = Vec::new();
        answers.iter().for_each(|answer| write(&mut bytes, answer));
        let wanted = *b"\x03\0\0\0\0\0\x01\x02\0\0\0\x01\x02\x03\0\0\0\x02\x01g\x03\0\0\0\x03\x01d";
        assert_eq!(bytes, wanted, "an answer has changed: raise VERSION");
        assert_eq!(Greeting { version: 1, library: "l".into() }.encode(), *b"fwsctrl\n\x01\0\0\0l\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn frames_are_taken_whatever_pieces_they_come_in() {
        let mut batch = Batch::default();
        let data = [7; 300];
        let send = Command::Send(SendTo { to: Target::Tag("t"), route: None, except: Some("a"), binary: true, data: (&data).into() });
        assert!(batch.push(&send) && batch.push(&Command::Routes));
        let mut frames = Frames::default();
        let mut got = 0;
        for byte in batch.bytes() {
            frames.buffer.push(*byte);
            while let Some(frame) = frames.next(MAX_COMMAND).expect("short enough") {
                let command: Command<'_> = read(&frames.buffer[frame]).expect("a command");
                assert_eq!(command, if got == 0 { send.clone() } else { Command::Routes });
                got += 1;
            }
            frames.compact();
        }
        assert_eq!((got, frames.buffer.len()), (2, 0));
    }

    #[test]
    fn a_frame_beyond_the_bound_is_refused_before_it_comes() {
        let mut frames = Frames { buffer: 101u32.to_le_bytes().into(), taken: 0 };
        assert_eq!(frames.next(100), Err(101));
        let mut batch = Batch::default();
        batch.push(&Command::Routes);
        let long = vec![0; MAX_COMMAND];
        assert!(!batch.push(&Command::Get(Get { key: (&long[..]).into() })));
        assert_eq!((batch.len(), batch.bytes().len()), (1, 5));
    }

    #[test]
    fn bytes_that_are_no_command_are_refused() {
        for wrong in [&b""[..], b"\xff", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x00\x00\xff\xff\xff\xff\x7f", b"\x03\x01"] {
            assert!(read::<Command<'_>>(wrong).is_err(), "{wrong:?}");
        }
        let mut more = Vec::new();
        write(&mut more, &Command::Routes);
        more.push(0);
        assert_eq!(read::<Command<'_>>(&more[PREFIX..]), Err("1 bytes too many".into()));
    }
}
