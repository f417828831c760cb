//! One client connection: connecting, handshake, messages under way, closing.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::event::Event;
use mio::net::TcpStream;

use crate::frame::{self, Item, Reader};
use crate::stream::Stream;
use crate::target::{Target, response_head};

/// What every connection sends, and should get back.
pub struct Work {
    /// As many frames as may be under way at once, one behind the other, so that any number of them is one write.
    burst: Vec<u8>,
    frame_len: usize,
    in_flight: usize,
    payload: Vec<u8>,
    opcode: u8,
    /// Whether a reply is followed by the next message.
    goes_on: bool,
}

impl Work {
    /// Messages of `size` bytes, `in_flight` at a time.
    pub fn new(size: usize, in_flight: usize, binary: bool) -> Self {
        // Printable, so that it is valid as text, and no two neighbours alike.
        let payload: Vec<u8> = (b'!'..=b'~').cycle().take(size).collect();
        let opcode = if binary { frame::BINARY } else { frame::TEXT };
        let frame = frame::client_frame(opcode, &payload);
        Self { burst: frame.repeat(in_flight), frame_len: frame.len(), in_flight, payload, opcode, goes_on: true }
    }

    /// From now on replies are only received.
    pub fn end(&mut self) {
        self.goes_on = false;
    }

    fn check_piece(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let expected = usize::try_from(at).ok().and_then(|at| self.payload.get(at..)?.get(..bytes.len()));
        ensure!(expected == Some(bytes), "the echo differs from what was sent, at byte {at} or behind");
        Ok(())
    }

    fn check_message(&self, opcode: u8, len: u64) -> Result<()> {
        ensure!(
            opcode == self.opcode && len == self.payload.len() as u64,
            "the echo has opcode {opcode} and {len} bytes; opcode {} and {} bytes were sent",
            self.opcode,
            self.payload.len()
        );
        Ok(())
    }
}

/// What was counted.
pub struct Tally {
    /// Replies.
    pub messages: u64,
    /// Bytes received, headers included.
    pub bytes: u64,
    /// Nanoseconds from the write of a message to the read of its reply.
    pub latency: Histogram<u64>,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new() -> Result<Self> {
        Ok(Self { messages: 0, bytes: 0, latency: Histogram::new(2)? })
    }
}

/// What a connection borrows while it handles an event.
pub struct Turn<'a> {
    /// Where reads go to.
    pub scratch: &'a mut [u8],
    /// The upgrade request.
    pub target: &'a Target,
    /// Absent: messages from the server are passed over.
    pub work: Option<&'a Work>,
    /// Where replies are counted.
    pub tally: &'a mut Tally,
    /// Zero of the send times.
    pub origin: Instant,
}

/// How an event changed a connection.
#[derive(PartialEq, Eq)]
pub enum Change {
    /// Not in what the swarm counts.
    Same,
    /// The handshake is done.
    Opened,
    /// The server has ended it, after we asked.
    Gone,
}

enum State {
    Connecting,
    Handshake(Vec<u8>),
    Open,
    Closing,
    Gone,
}

/// A client.
pub struct Connection {
    stream: Stream,
    state: State,
    reader: Reader,
    /// What the socket did not take.
    unsent: Vec<u8>,
    /// When each message under way was written.
    sent: VecDeque<u64>,
}

impl Connection {
    /// A connection whose socket has just begun to connect.
    pub fn new(stream: Stream) -> Self {
        Self { stream, state: State::Connecting, reader: Reader::default(), unsent: Vec::new(), sent: VecDeque::new() }
    }

    /// The socket, for its registration.
    pub fn socket(&mut self) -> &mut TcpStream {
        self.stream.socket()
    }

    /// Sends the first messages.
    pub fn begin(&mut self, work: &Work, origin: Instant) -> Result<()> {
        self.send(work, work.in_flight, origin.elapsed().as_nanos() as u64)
    }

    /// Messages whose reply has not come.
    pub fn awaited(&self) -> usize {
        self.sent.len()
    }

    /// Sends a close frame; the server then ends the connection.
    pub fn close(&mut self) -> Result<Change> {
        if matches!(self.state, State::Gone) {
            return Ok(Change::Same);
        }
        self.state = State::Closing;
        match self.write(&frame::close_frame()) {
            Err(error) if is_cut(&error) => Ok(self.gone()),
            other => other.map(|()| Change::Same),
        }
    }

    /// Handles what epoll reported.
    pub fn handle(&mut self, event: &Event, turn: &mut Turn<'_>) -> Result<Change> {
        if matches!(self.state, State::Gone) {
            return Ok(Change::Same);
        }
        match self.progress(event, turn) {
            Err(error) if matches!(self.state, State::Closing) && is_cut(&error) => Ok(self.gone()),
            other => other,
        }
    }

    fn progress(&mut self, event: &Event, turn: &mut Turn<'_>) -> Result<Change> {
        if matches!(self.state, State::Connecting) {
            if let Some(error) = self.stream.socket().take_error()? {
                return Err(error).context("connecting");
            }
            match self.stream.socket().peer_addr() {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    return Ok(Change::Same);
                }
                other => other?,
            };
            // Without it a batch that follows a small frame would wait for an acknowledgement.
            self.stream.socket().set_nodelay(true)?;
            self.state = State::Handshake(Vec::new());
            self.write(&turn.target.request)?;
        } else if event.is_writable() {
            self.flush()?;
        }
        if !event.is_readable() {
            return Ok(Change::Same);
        }
        let change = self.read(event.is_read_closed() || self.stream.may_hold_back(), turn)?;
        if !self.unsent.is_empty() && !matches!(self.state, State::Gone) {
            // Under TLS it may have waited for something to read: the server's part of the handshake.
            self.flush()?;
        }
        Ok(change)
    }

    /// One read, unless it filled the scratch buffer or the end of the stream is known to be near: epoll is edge-triggered,
    /// and after a short read the next bytes are a new edge.
    fn read(&mut self, to_the_end: bool, turn: &mut Turn<'_>) -> Result<Change> {
        let mut change = Change::Same;
        loop {
            let count = match self.stream.read(turn.scratch) {
                Ok(0) if matches!(self.state, State::Closing) => return Ok(self.gone()),
                Ok(0) => bail!("the server has ended the connection"),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(change),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("reading"),
            };
            let full = count == turn.scratch.len();
            if self.received(count, turn)? == Change::Opened {
                change = Change::Opened;
            }
            if !full && !to_the_end {
                return Ok(change);
            }
        }
    }

    fn received(&mut self, count: usize, turn: &mut Turn<'_>) -> Result<Change> {
        if let State::Handshake(head) = &mut self.state {
            head.extend_from_slice(&turn.scratch[..count]);
            let Some(end) = response_head(head)? else {
                return Ok(Change::Same);
            };
            let behind = head.split_off(end);
            self.state = State::Open;
            self.frames(&behind, turn.work, turn.tally, turn.origin)?;
            return Ok(Change::Opened);
        }
        self.frames(&turn.scratch[..count], turn.work, turn.tally, turn.origin)?;
        Ok(Change::Same)
    }

    fn frames(&mut self, bytes: &[u8], work: Option<&Work>, tally: &mut Tally, origin: Instant) -> Result<()> {
        tally.bytes += bytes.len() as u64;
        let mut input = bytes;
        let mut replies = 0;
        while let Some(item) = self.reader.next(&mut input)? {
            match (item, work) {
                (Item::Piece { at, bytes }, Some(work)) => work.check_piece(at, bytes)?,
                (Item::Message { opcode, len }, Some(work)) => {
                    work.check_message(opcode, len)?;
                    replies += 1;
                }
                (Item::Piece { .. } | Item::Message { .. }, None) => {}
                (Item::Ping, _) => {
                    let pong = frame::client_frame(frame::PONG, self.reader.control());
                    self.write(&pong)?;
                }
                (Item::Close(_), _) if matches!(self.state, State::Closing) => {}
                (Item::Close(code), _) => {
                    bail!("the server closes the connection with code {code}")
                }
            }
        }
        let Some(work) = work.filter(|_| replies > 0) else {
            return Ok(());
        };
        let now = origin.elapsed().as_nanos() as u64;
        for _ in 0..replies {
            let sent = self.sent.pop_front().context("there are more replies than messages")?;
            tally.latency.record(now - sent)?;
        }
        tally.messages += replies as u64;
        if work.goes_on {
            self.send(work, replies, now)?;
        }
        Ok(())
    }

    fn send(&mut self, work: &Work, count: usize, now: u64) -> Result<()> {
        self.sent.extend(std::iter::repeat_n(now, count));
        self.write(&work.burst[..count * work.frame_len])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let taken = self.push(bytes)?;
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        match self.stream.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            other => other.context("writing")?,
        }
        let mut unsent = std::mem::take(&mut self.unsent);
        let taken = self.push(&unsent)?;
        unsent.drain(..taken);
        self.unsent = unsent;
        Ok(())
    }

    /// Writes until all is taken or the socket is full; the latter is what makes epoll report the next edge.
    fn push(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.stream.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("writing"),
            }
        }
        Ok(taken)
    }

    fn gone(&mut self) -> Change {
        self.state = State::Gone;
        Change::Gone
    }
}

/// While closing, a cut is as good as an end.
pub fn is_cut(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected)
    })
}
