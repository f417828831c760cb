//! Frames: the client's, made once, and a reader of the server's, fed in any pieces.

use anyhow::{Result, bail, ensure};

/// Text message.
pub const TEXT: u8 = 1;
/// Binary message.
pub const BINARY: u8 = 2;
const CONTINUATION: u8 = 0;
/// Closing.
pub const CLOSE: u8 = 8;
const PING: u8 = 9;
/// Answer to a ping.
pub const PONG: u8 = 10;

/// RFC 6455 section 5.3 asks for a fresh, unpredictable key to protect proxies; on the loopback there are none, and a fixed
/// one lets every frame be made beforehand. It is not zero, so that the server has to unmask.
const MASK: [u8; 4] = [0x9c, 0x3e, 0x71, 0xd5];

/// A frame as a client sends it: final and masked.
pub fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The close frame of every client here: code 1000, no reason.
pub fn close_frame() -> Vec<u8> {
    client_frame(CLOSE, &1000u16.to_be_bytes())
}

/// What the reader found next.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A piece of a message, `at` bytes behind its beginning.
    Piece { at: u64, bytes: &'a [u8] },
    /// A message is whole.
    Message { opcode: u8, len: u64 },
    /// A ping; its payload is [`Reader::control`].
    Ping,
    /// A close frame, with its code (1005 when it has none).
    Close(u16),
}

/// Reads a server's frames. Holds 14 bytes and a control payload, never a message.
pub struct Reader {
    header: [u8; 10],
    header_len: usize,
    /// Of the frame under way: payload bytes still to come; `None` between frames.
    remaining: Option<u64>,
    opcode: u8,
    fin: bool,
    /// Opcode of the message under way; 0 when there is none.
    message: u8,
    message_len: u64,
    control: [u8; 125],
    control_len: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            header: [0; 10],
            header_len: 0,
            remaining: None,
            opcode: 0,
            fin: false,
            message: 0,
            message_len: 0,
            control: [0; 125],
            control_len: 0,
        }
    }
}

impl Reader {
    /// Payload of the control frame just reported.
    pub fn control(&self) -> &[u8] {
        &self.control[..self.control_len]
    }

    /// Takes bytes off the front of `input` until there is something to report; `None`: all are taken.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Item<'a>>> {
        loop {
            let remaining = match self.remaining {
                Some(remaining) => remaining,
                None => {
                    if !self.read_header(input)? {
                        return Ok(None);
                    }
                    self.remaining.unwrap_or_default()
                }
            };
            if remaining > 0 {
                if input.is_empty() {
                    return Ok(None);
                }
                let taken = usize::try_from(remaining).map_or(input.len(), |wanted| wanted.min(input.len()));
                let (bytes, rest) = input.split_at(taken);
                *input = rest;
                self.remaining = Some(remaining - taken as u64);
                if self.opcode >= CLOSE {
                    self.control[self.control_len..self.control_len + taken].copy_from_slice(bytes);
                    self.control_len += taken;
                    continue;
                }
                let at = self.message_len;
                self.message_len += taken as u64;
                return Ok(Some(Item::Piece { at, bytes }));
            }
            self.remaining = None;
            match self.opcode {
                PING => return Ok(Some(Item::Ping)),
                PONG => {}
                CLOSE => return Ok(Some(Item::Close(self.close_code()?))),
                _ if self.fin => {
                    let item = Item::Message { opcode: self.message, len: self.message_len };
                    (self.message, self.message_len) = (0, 0);
                    return Ok(Some(item));
                }
                _ => {}
            }
        }
    }

    /// Gathers a header and checks it; false: more bytes are needed.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<bool> {
        loop {
            let wanted = match self.header_len {
                0 | 1 => 2,
                _ => match self.header[1] & 0x7f {
                    126 => 4,
                    127 => 10,
                    _ => 2,
                },
            };
            if self.header_len >= wanted {
                break;
            }
            let taken = (wanted - self.header_len).min(input.len());
            if taken == 0 {
                return Ok(false);
            }
            self.header[self.header_len..self.header_len + taken].copy_from_slice(&input[..taken]);
            self.header_len += taken;
            *input = &input[taken..];
        }
        self.header_len = 0;
        let [first, second, a, b, c, d, e, f, g, h] = self.header;
        let len = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            small => u64::from(small),
        };
        self.fin = first & 0x80 != 0;
        self.opcode = first & 0x0f;
        self.remaining = Some(len);
        ensure!(first & 0x70 == 0, "a frame has reserved bits set ({first:#04x}); no extension was asked for");
        ensure!(second & 0x80 == 0, "a frame of the server is masked");
        match self.opcode {
            CLOSE | PING | PONG => {
                ensure!(self.fin && len <= 125, "a control frame is fragmented or has {len} bytes");
                self.control_len = 0;
            }
            CONTINUATION => ensure!(self.message != 0, "a continuation without a message"),
            TEXT | BINARY => {
                ensure!(self.message == 0, "a message begins within a message");
                self.message = self.opcode;
            }
            other => bail!("a frame has the reserved opcode {other}"),
        }
        Ok(true)
    }

    fn close_code(&self) -> Result<u16> {
        match self.control() {
            [] => Ok(1005),
            [high, low, ..] => Ok(u16::from_be_bytes([*high, *low])),
            [_] => bail!("a close frame has a body of 1 byte"),
        }
    }
}

#[cfg(test)]
mod tests;
