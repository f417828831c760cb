//! The connection: what arrives, what is answered, how it ends.

use std::io::IoSlice;
use std::sync::Arc;

use fws_wire::close::{self, CloseFrame};
use fws_wire::frame::{Control, OpCode};
use fws_wire::message::{Decoder, Item, Limits, Payload};

use crate::compression::Compressor;
use crate::frame::kind;
use crate::outbox::{Outbox, Spares};
use crate::{Closed, Compression, Frame, Millis};

/// What a route asks of its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The longest message a client may send, bytes.
    pub max_message_size: u64,
    /// The longest frame a client may send, bytes.
    pub max_frame_size: u64,
    /// While more bytes than this wait in the outbox, nothing more is read.
    pub max_outbox: usize,
    /// A client silent for so long is pinged; 0: never.
    pub ping_interval: Millis,
    /// A client that is silent for so long after a ping is cut.
    pub pong_timeout: Millis,
    /// How long the client's close frame is waited for, from the last time that the client took something of what waits before ours.
    pub close_timeout: Millis,
    /// How long the client's end of the TCP connection is waited for after the last byte was sent.
    pub linger: Millis,
}

/// However slowly a client reads what waits: after this time from its beginning, the end of a connection is cut short.
const LONGEST_END: Millis = 60_000;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_message_size: 1 << 20,
            max_frame_size: u64::MAX,
            max_outbox: 1 << 20,
            ping_interval: 25_000,
            pong_timeout: 20_000,
            close_timeout: 5_000,
            linger: 2_000,
        }
    }
}

/// A message that was received.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Binary rather than text.
    pub binary: bool,
    /// The payload.
    pub payload: Payload<'a>,
}

/// The phases in which a connection can be (RFC 6455, 7).
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our close frame is on its way; the client's is waited for. `since`: the last progress.
    Closing {
        begun: Millis,
        since: Millis,
    },
    /// No more frames either way: what waits is written, then our end is closed, then the client's is waited for.
    Ending {
        begun: Millis,
        since: Millis,
        half_closed: bool,
    },
    /// The socket can be closed.
    Ended,
}

/// One connection. An idle one owns no buffer.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    decoder: Decoder,
    compressor: Option<Box<Compressor>>,
    outbox: Option<Box<Outbox>>,
    phase: Phase,
    /// The end, until [`Session::take_closed`] tells it.
    closed: Option<Box<Closed>>,
    /// What the first close frame said, while the other is waited for.
    sent_close: Option<Box<CloseFrame>>,
    /// The last ping while the outbox is over its limit: of several, only the latest must be answered (RFC 6455, 5.5.3).
    late_pong: Option<Box<[u8]>>,
    last_heard: Millis,
    /// When the last ping was sent, or when this connection got its own interval.
    last_ping: Millis,
    /// An interval of its own, at which it is pinged whether it is silent or not.
    own_interval: OwnInterval,
    /// How many pings were sent: each carries its number, so that its pong is told from others.
    pings: u32,
    /// Nothing was heard since the last ping.
    pinged: bool,
    /// The pong to the last ping has not come.
    pong_due: bool,
    signs: Signs,
}

/// The ping interval of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnInterval {
    /// None: that of its settings.
    Absent,
    Every(u32),
    Off,
}

/// What [`Session::take_signs`] tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// A ping was put into the outbox.
    pub ping_sent: bool,
    /// The pong to the last ping came.
    pub pong_received: bool,
}

impl Session {
    /// A connection whose opening handshake is done.
    pub fn new(settings: Arc<Settings>, now: Millis) -> Session {
        Session {
            settings,
            decoder: Decoder::default(),
            compressor: None,
            outbox: None,
            phase: Phase::Open,
            closed: None,
            sent_close: None,
            late_pong: None,
            last_heard: now,
            last_ping: now,
            own_interval: OwnInterval::Absent,
            pings: 0,
            pinged: false,
            pong_due: false,
            signs: Signs::default(),
        }
    }

    /// With what was agreed on in the handshake.
    pub fn with_compression(mut self, compression: Option<Compression>) -> Session {
        if let Some(compression) = compression {
            self.decoder = Decoder::with_compression(&compression.params);
            self.compressor = Some(Box::new(Compressor::new(compression)));
        }
        self
    }

    /// Other settings hold from now on.
    pub fn configure(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// Bytes arrived: takes the next message out of `input`, which is advanced. `None`: `input` is used up, or the connection ended.
    ///
    /// Pings and close frames are answered and violations failed with the right code on the way.
    pub fn receive<'a>(&mut self, input: &mut &'a mut [u8], now: Millis, spares: &mut Spares) -> Option<Message<'a>> {
        self.last_heard = now;
        self.pinged = false;
        let limits = Limits { max_message_size: self.settings.max_message_size, max_frame_size: self.settings.max_frame_size };
        while matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            match self.decoder.next(input, &limits, &mut spares.pool) {
                Ok(None) => return None,
                Ok(Some(Item::Message { binary, payload })) => return Some(Message { binary, payload }),
                Ok(Some(Item::Ping(payload))) => self.pong(payload.as_slice(), spares),
                Ok(Some(Item::Pong(payload))) => self.received_pong(payload.as_slice()),
                Ok(Some(Item::Close(frame))) => self.received_close(frame, now, spares),
                Err(error) => self.fail(error.close_code(), &error.to_string(), now, spares),
            }
        }
        None
    }

    /// The connection is pinged every so many milliseconds from now on, silent or not; 0: never; `None`: as its settings say.
    pub fn set_ping_interval(&mut self, interval: Option<u32>, now: Millis) {
        self.own_interval = match interval {
            None => OwnInterval::Absent,
            Some(0) => OwnInterval::Off,
            Some(every) => OwnInterval::Every(every),
        };
        self.last_ping = now;
        self.pinged = false;
    }

    /// What has happened to pings since the last call, for who measures their time.
    pub fn take_signs(&mut self) -> Signs {
        std::mem::take(&mut self.signs)
    }

    /// What is left of a read is kept for the next turn, when messages have become much longer than what came: some KiB can be inflated
    /// to many MiB. `false`: nothing is compressed here, it need not be.
    pub fn put_by(&mut self, rest: &[u8]) -> bool {
        if let Some(compressor) = &mut self.compressor {
            compressor.rest.extend_from_slice(rest);
        }
        self.compressor.is_some()
    }

    /// Whether something was [put by](Session::put_by).
    pub fn has_rest(&self) -> bool {
        self.compressor.as_ref().is_some_and(|compressor| !compressor.rest.is_empty())
    }

    /// What was [put by](Session::put_by): to be received before anything else.
    pub fn take_rest(&mut self) -> Option<Vec<u8>> {
        let rest = &mut self.compressor.as_mut()?.rest;
        (!rest.is_empty()).then(|| std::mem::take(rest))
    }

    /// The client is known to be there, or not listened to.
    pub fn heard(&mut self, now: Millis) {
        self.last_heard = now;
        self.pinged = false;
        if let Phase::Closing { since, .. } = &mut self.phase {
            *since = now;
        }
    }

    /// The client closed its end, or the socket failed.
    pub fn disconnected(&mut self) {
        let reason = match self.phase {
            Phase::Open => "the connection was cut without a close frame",
            _ => "the connection was cut before the closing handshake was complete",
        };
        self.cut(reason);
    }

    /// Ends at once, without a handshake: `reason` is for the event.
    pub fn cut(&mut self, reason: &str) {
        if matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            let code = self.sent_close.as_deref().map_or(close::ABNORMAL, |frame| frame.code);
            self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, violation: false }));
        }
        self.phase = Phase::Ended;
        self.outbox = None;
        self.late_pong = None;
    }

    /// Queues an encoded message, compressed only where that was agreed on. `false`: the connection is closing and nothing more can be sent.
    pub fn send(&mut self, frame: Frame, spares: &mut Spares) -> bool {
        let open = self.phase == Phase::Open;
        if open {
            if frame.is_compressed() {
                self.compressor.as_mut().expect("bug: a compressed frame where none was negotiated").begin_anew();
            }
            self.outbox(spares).push(frame.into_bytes());
        }
        open
    }

    /// Queues a message without an allocation of its own, compressed if it is worth it. `false`: the connection is closing.
    pub fn send_message(&mut self, binary: bool, payload: &[u8], spares: &mut Spares) -> bool {
        if self.phase != Phase::Open {
            return false;
        }
        let outbox = self.outbox.get_or_insert_with(|| spares.take());
        if let Some(compressor) = &mut self.compressor
            && let Some(len) = compressor.deflate(payload, &mut spares.pool, |deflated| {
                outbox.encode_compressed(kind(binary), deflated);
                deflated.len()
            })
        {
            spares.saved.messages += 1;
            spares.saved.bytes += (payload.len() - len) as u64;
        } else {
            outbox.encode(OpCode::Data(kind(binary)), payload);
        }
        true
    }

    /// Starts the closing handshake; nothing happens if it has begun. Messages queued before are still written.
    pub fn close(&mut self, code: u16, reason: &str, now: Millis, spares: &mut Spares) {
        if self.phase == Phase::Open {
            self.outbox(spares).encode(OpCode::Control(Control::Close), &close::body(code, reason));
            self.sent_close = Some(Box::new(CloseFrame { code, reason: reason.to_owned() }));
            self.phase = Phase::Closing { begun: now, since: now };
        }
    }

    /// Does what is due; [`Session::deadline`] says when to call again.
    pub fn tick(&mut self, now: Millis, spares: &mut Spares) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.phase {
            Phase::Open if self.pinged => {
                self.cut("the client answered no ping");
            }
            Phase::Open => self.ping(now, spares),
            Phase::Closing { .. } => self.cut("the client did not answer the close frame"),
            Phase::Ending { .. } => self.phase = Phase::Ended,
            Phase::Ended => {}
        }
    }

    /// When [`Session::tick`] has something to do, if nothing happens until then.
    pub fn deadline(&self) -> Option<Millis> {
        let settings = &self.settings;
        match self.phase {
            Phase::Open if self.pinged => Some(self.last_ping + settings.pong_timeout),
            Phase::Open => match self.own_interval {
                OwnInterval::Every(every) => Some(self.last_ping + Millis::from(every)),
                OwnInterval::Absent if settings.ping_interval > 0 => Some(self.last_heard + settings.ping_interval),
                OwnInterval::Absent | OwnInterval::Off => None,
            },
            Phase::Closing { begun, since } => Some((since + settings.close_timeout).min(begun + LONGEST_END)),
            Phase::Ending { begun, since, .. } => Some((since + settings.linger).min(begun + LONGEST_END)),
            Phase::Ended => None,
        }
    }

    /// Whether the socket should be read: not while too much waits to be written. In the last phase what comes is thrown away.
    pub fn wants_read(&self) -> bool {
        self.outbox_len() <= self.settings.max_outbox && self.phase != Phase::Ended
    }

    /// Whether what is read is of no interest any more, so that it can be dropped unseen.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. } | Phase::Ended)
    }

    /// Whether our end of the TCP connection is to be closed now. True once.
    pub fn take_half_close(&mut self) -> bool {
        match &mut self.phase {
            Phase::Ending { half_closed, .. } if !*half_closed && self.outbox.is_none() => {
                *half_closed = true;
                true
            }
            _ => false,
        }
    }

    /// Whether the socket can be closed.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// How the connection ended, once, as soon as it is known.
    pub fn take_closed(&mut self) -> Option<Box<Closed>> {
        self.closed.take()
    }

    /// Bytes that wait for the socket.
    pub fn outbox_len(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.len())
    }

    /// What is to be written next; returns how many slices were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.slices(slices))
    }

    /// The socket took `count` bytes.
    pub fn wrote(&mut self, count: usize, now: Millis, spares: &mut Spares) {
        if let Phase::Closing { since, .. } | Phase::Ending { since, .. } = &mut self.phase {
            *since = now;
        }
        let Some(outbox) = self.outbox.as_mut() else { return };
        outbox.consume(count);
        if outbox.len() <= self.settings.max_outbox
            && let Some(payload) = self.late_pong.take()
        {
            outbox.encode(OpCode::Control(Control::Pong), &payload);
        }
        if outbox.is_empty()
            && let Some(outbox) = self.outbox.take()
        {
            spares.give(outbox);
        }
    }

    fn outbox(&mut self, spares: &mut Spares) -> &mut Outbox {
        self.outbox.get_or_insert_with(|| spares.take())
    }

    fn ping(&mut self, now: Millis, spares: &mut Spares) {
        self.pinged = true;
        self.pong_due = true;
        self.last_ping = now;
        self.pings = self.pings.wrapping_add(1);
        self.signs.ping_sent = true;
        let number = self.pings.to_be_bytes();
        self.outbox(spares).encode(OpCode::Control(Control::Ping), &number);
    }

    fn received_pong(&mut self, payload: &[u8]) {
        // RFC 6455, 5.5.3: a pong to a ping "must have identical Application data"; others are a heartbeat of the client's own.
        if self.pong_due && payload == self.pings.to_be_bytes() {
            self.pong_due = false;
            self.signs.pong_received = true;
        }
    }

    fn pong(&mut self, payload: &[u8], spares: &mut Spares) {
        // RFC 6455, 5.5.2: a pong is due "unless it already received a Close frame" (then nothing is decoded any more) – and none
        // may follow our own close frame (5.5.1).
        if self.phase != Phase::Open {
            return;
        }
        if self.outbox_len() > self.settings.max_outbox {
            self.late_pong = Some(payload.into());
        } else {
            self.outbox(spares).encode(OpCode::Control(Control::Pong), payload);
        }
    }

    fn received_close(&mut self, frame: CloseFrame, now: Millis, spares: &mut Spares) {
        let first = match self.sent_close.take() {
            Some(ours) => *ours,
            None => {
                // RFC 6455, 5.5.1: "When sending a Close frame in response, the endpoint typically echos the status code it received."
                self.outbox(spares).encode(OpCode::Control(Control::Close), &close::body(frame.code, ""));
                frame
            }
        };
        self.closed = Some(Box::new(Closed { code: first.code, reason: first.reason, clean: true, violation: false }));
        self.end(now);
    }

    /// RFC 6455, 7.1.7: "Fail the WebSocket Connection": our close frame, then no more is looked at.
    fn fail(&mut self, code: u16, reason: &str, now: Millis, spares: &mut Spares) {
        // The first close frame is the one that counts: ours, if it is on its way already.
        let code = match self.sent_close.take() {
            Some(ours) => ours.code,
            None => {
                self.outbox(spares).encode(OpCode::Control(Control::Close), &close::body(code, reason));
                code
            }
        };
        self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, violation: true }));
        self.end(now);
    }

    /// No more frames: what they needed is given up.
    fn end(&mut self, now: Millis) {
        self.phase = Phase::Ending { begun: now, since: now, half_closed: false };
        self.decoder = Decoder::default();
        self.compressor = None;
    }
}

#[cfg(test)]
mod tests;
