//! One subscriber: connecting, entering the channel, messages, leaving.

use std::io::{self, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::event::Event;
use mio::net::TcpStream;

use super::dialect::{Dialect, Heard, Place, Wish};
use super::message;
use crate::frame::{self, Item, Reader};
use crate::target::response_head;

/// What all clients of a run have in common.
pub struct Common {
    /// How the server speaks.
    pub dialect: Dialect,
    /// The channel that all are in.
    pub channel: String,
    /// Bytes of a message.
    pub size: usize,
    /// Whether clients ask to be able to come back.
    pub resume: bool,
    /// Zero of all times.
    pub origin: Instant,
    /// When each message of each publisher was sent.
    pub sent: Vec<Vec<u64>>,
}

/// What was counted.
pub struct Tally {
    /// Messages that have reached a client.
    pub deliveries: u64,
    /// Nanoseconds from the request that published a message to its reading.
    pub latency: Histogram<u64>,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new() -> Result<Self> {
        Ok(Self { deliveries: 0, latency: Histogram::new(2)? })
    }
}

#[derive(PartialEq, Eq)]
enum State {
    Connecting,
    Handshake(Vec<u8>),
    Entering,
    Inside,
    Closing,
    Gone,
}

/// How an event changed a client.
#[derive(PartialEq, Eq)]
pub enum Change {
    /// Not in what the crowd counts.
    Same,
    /// It is in the channel.
    Inside,
    /// Its connection has ended, after we asked.
    Gone,
}

/// A client. It outlives its connection.
pub struct Client {
    socket: TcpStream,
    /// Index of its server.
    pub node: usize,
    user: usize,
    host: String,
    state: State,
    reader: Reader,
    unsent: Vec<u8>,
    /// The message under way, where it comes in pieces.
    partial: Vec<u8>,
    place: Place,
    /// Where it comes back to; none: it is new.
    before: Option<Place>,
    /// Of each publisher: the number of the message that is due.
    due: Vec<usize>,
    /// Messages it has got.
    pub received: u64,
    /// Depends on the messages and their order.
    pub order: u64,
}

impl Client {
    /// A client whose socket has just begun to connect.
    pub fn new(socket: TcpStream, node: usize, user: usize, host: String) -> Self {
        Self {
            socket,
            node,
            user,
            host,
            state: State::Connecting,
            reader: Reader::default(),
            unsent: Vec::new(),
            partial: Vec::new(),
            place: Place::default(),
            before: None,
            due: Vec::new(),
            received: 0,
            order: 0,
        }
    }

    /// Comes back through another socket. The one before is closed without a word, by being dropped, if it was not yet.
    pub fn come_back(&mut self, socket: TcpStream) {
        (self.socket, self.state) = (socket, State::Connecting);
        (self.reader, self.unsent, self.partial) = (Reader::default(), Vec::new(), Vec::new());
        self.before = Some(self.place.clone());
    }

    /// Ends the connection without a closing handshake, as a network does.
    pub fn cut(&mut self) -> Result<()> {
        self.state = State::Gone;
        self.socket.shutdown(std::net::Shutdown::Both).context("cutting a connection")
    }

    /// The socket, for its registration.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Sends a close frame; the server then ends the connection.
    pub fn close(&mut self) -> Result<()> {
        self.state = State::Closing;
        match self.write(&frame::close_frame()) {
            Err(error) if crate::connection::is_cut(&error) => Ok(()),
            other => other,
        }
    }

    /// Handles what epoll reported.
    pub fn handle(&mut self, event: &Event, scratch: &mut [u8], common: &Common, tally: &mut Tally) -> Result<Change> {
        if self.state == State::Gone {
            return Ok(Change::Same);
        }
        match self.progress(event, scratch, common, tally) {
            Err(error) if self.state == State::Closing && crate::connection::is_cut(&error) => {
                self.state = State::Gone;
                Ok(Change::Gone)
            }
            other => other,
        }
    }

    fn progress(&mut self, event: &Event, scratch: &mut [u8], common: &Common, tally: &mut Tally) -> Result<Change> {
        if self.state == State::Connecting {
            if let Some(error) = self.socket.take_error()? {
                return Err(error).context("connecting");
            }
            match self.socket.peer_addr() {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(Change::Same),
                other => other?,
            };
            self.socket.set_nodelay(true)?;
            self.state = State::Handshake(Vec::new());
            let wish = wish(common, self.user, self.before.as_ref());
            let request = common.dialect.handshake(&self.host, &wish);
            self.write(&request)?;
        } else if event.is_writable() && !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            self.write(&unsent)?;
        }
        if !event.is_readable() {
            return Ok(Change::Same);
        }
        let mut change = Change::Same;
        loop {
            let count = match self.socket.read(scratch) {
                Ok(0) if self.state == State::Closing => {
                    self.state = State::Gone;
                    return Ok(Change::Gone);
                }
                Ok(0) => bail!("the server has ended the connection"),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(change),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("reading"),
            };
            let entering = !matches!(self.state, State::Inside | State::Closing);
            self.received(&scratch[..count], common, tally)?;
            if entering && self.state == State::Inside {
                change = Change::Inside;
            }
            // Edge-triggered: after a short read the next bytes are a new edge, but the end of the stream that was reported is none.
            if count < scratch.len() && !event.is_read_closed() {
                return Ok(change);
            }
        }
    }

    fn received(&mut self, bytes: &[u8], common: &Common, tally: &mut Tally) -> Result<()> {
        let State::Handshake(head) = &mut self.state else {
            return self.frames(bytes, common, tally);
        };
        head.extend_from_slice(bytes);
        let Some(end) = response_head(head)? else {
            return Ok(());
        };
        let behind = head.split_off(end);
        self.state = State::Entering;
        if let Some(text) = common.dialect.greeting(&wish(common, self.user, self.before.as_ref())) {
            self.write(&frame::client_frame(frame::TEXT, text.as_bytes()))?;
        }
        self.frames(&behind, common, tally)
    }

    fn frames(&mut self, mut input: &[u8], common: &Common, tally: &mut Tally) -> Result<()> {
        let now = common.origin.elapsed().as_nanos() as u64;
        // A message that came in one piece is read where it is.
        let mut whole: Option<&[u8]> = None;
        while let Some(item) = self.reader.next(&mut input)? {
            match item {
                Item::Piece { at: 0, bytes } => whole = Some(bytes),
                Item::Piece { bytes, .. } => {
                    if let Some(first) = whole.take() {
                        self.partial.extend_from_slice(first);
                    }
                    self.partial.extend_from_slice(bytes);
                }
                Item::Message { .. } if self.state == State::Closing => self.partial.clear(),
                Item::Message { opcode, .. } => {
                    ensure!(opcode == frame::TEXT, "a message is binary");
                    match whole.take() {
                        Some(text) => self.text(text, now, common, tally)?,
                        None => {
                            let text = std::mem::take(&mut self.partial);
                            self.text(&text, now, common, tally)?;
                        }
                    }
                }
                Item::Ping => {
                    let pong = frame::client_frame(frame::PONG, self.reader.control());
                    self.write(&pong)?;
                }
                Item::Close(_) if self.state == State::Closing => {}
                Item::Close(code) => bail!("the server closes the connection with code {code}"),
            }
        }
        if let Some(first) = whole {
            self.partial.extend_from_slice(first);
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8], now: u64, common: &Common, tally: &mut Tally) -> Result<()> {
        let Self { state, due, received, order, place, before, user, .. } = self;
        let mut answer = None;
        let entering = *state != State::Inside;
        let wish = wish(common, *user, before.as_ref());
        common.dialect.hear(text, entering, &wish, place, |heard| {
            let missed;
            let message = match heard {
                Heard::Inside => {
                    *state = State::Inside;
                    return Ok(());
                }
                Heard::Answer(text) => {
                    answer = Some(text);
                    return Ok(());
                }
                Heard::Message(message) => message,
                Heard::Missed(text) => {
                    missed = text;
                    missed.as_bytes()
                }
            };
            let (publisher, number) = message::read(message, common.size)?;
            due.resize(due.len().max(publisher + 1), 0);
            ensure!(number == due[publisher], "message {number} of publisher {publisher} came where {} was due", due[publisher]);
            let sent = common.sent.get(publisher).and_then(|all| all.get(number));
            let sent = sent.with_context(|| format!("message {number} of publisher {publisher} was not published"))?;
            due[publisher] += 1;
            *received += 1;
            *order = order.wrapping_mul(0x0100_0000_01b3) ^ ((publisher as u64) << 32 | number as u64);
            tally.deliveries += 1;
            tally.latency.record(now.saturating_sub(*sent))?;
            Ok(())
        })?;
        match answer {
            Some(text) => self.write(&frame::client_frame(frame::TEXT, text.as_bytes())),
            None => Ok(()),
        }
    }

    /// Writes what the socket takes and keeps the rest for epoll's next report.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let mut left = bytes;
        while !left.is_empty() {
            match self.socket.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("writing"),
            }
        }
        self.unsent.extend_from_slice(left);
        Ok(())
    }
}

fn wish<'a>(common: &'a Common, user: usize, place: Option<&'a Place>) -> Wish<'a> {
    Wish { channel: &common.channel, user, resume: common.resume, place }
}
