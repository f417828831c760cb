//! The connection: what arrives, what is answered, how it ends.

use std::io::IoSlice;
use std::sync::Arc;

use fws_wire::close::{self, CloseFrame};
use fws_wire::frame::{self, Control, OpCode};
use fws_wire::message::{Decoder, Item, Limits, Payload};
use fws_wire::{Error, Fault, Owner, Peer};

use crate::compression::Compressor;
use crate::frame::kind;
use crate::outbox::{Outbox, Spares};
use crate::rate::{Exceed, RateLimit};
use crate::terms::{Held, Terms};
use crate::{Closed, Compression, Failed, Frame, Millis};

/// What a route asks of its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The longest message a client may send, bytes.
    pub max_message_size: u64,
    /// The longest frame a client may send, bytes.
    pub max_frame_size: u64,
    /// The longest message that can be sent, and, with the header of its frame, the most bytes that may wait: see [`outbox_room`]. While
    /// more wait, nothing is read.
    pub max_outbox: usize,
    /// What becomes of a client to which more than `max_outbox` would have to wait.
    pub slow_client: SlowClient,
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

/// How many bytes may wait in an outbox of this size, headers of frames included: it has room for one message that is as long as the
/// outbox is large.
pub fn outbox_room(max_outbox: usize) -> usize {
    frame::encoded_len(max_outbox.min(usize::MAX - frame::MAX_HEADER))
}

/// What becomes of a client that reads more slowly than it is sent to, when its outbox is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SlowClient {
    /// It is closed with 1013; what waited for it is dropped.
    #[default]
    Close,
    /// The oldest messages that have not begun to be written are dropped.
    DropOldest,
    /// The message that does not fit is dropped.
    DropNewest,
}

/// Whether a message fits an outbox, see [`Session::make_room`].
#[derive(Debug, PartialEq, Eq)]
pub struct Room {
    /// Older messages that were dropped for it.
    pub dropped: u64,
    /// Whether it fits now.
    pub fits: bool,
}

/// However slowly a client reads what waits: after this time from its beginning, the end of a connection is cut short.
const LONGEST_END: Millis = 60_000;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_message_size: 1 << 20,
            max_frame_size: u64::MAX,
            max_outbox: 1 << 20,
            slow_client: SlowClient::default(),
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
    late_pong: Option<Box<LatePong>>,
    /// Only where the settings ask for some.
    terms: Option<Box<Terms>>,
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
    /// What [`Session::take_signs`] will tell, a bit for each: there is one of these for each connection.
    signs: u8,
}

/// The payload of a ping that is still to be answered. In a box of its own: a slice's pointer takes two words, and few have one.
#[derive(Debug)]
struct LatePong(Box<[u8]>);

/// The ping interval of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnInterval {
    /// None: that of its settings.
    Absent,
    Every(u32),
    Off,
}

const PING_SENT: u8 = 1;
const PONG_RECEIVED: u8 = 2;
const BROKE_SILENCE: u8 = 4;

/// What [`Session::take_signs`] tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// A ping was put into the outbox.
    pub ping_sent: bool,
    /// The pong to the last ping came.
    pub pong_received: bool,
    /// The client was silent since a ping, and something came from it: [`Session::deadline`] may be earlier now than it was.
    pub broke_silence: bool,
}

impl Session {
    /// A connection whose opening handshake is done. `seed`: its share of the jitter in [`Settings::max_lifetime`]; seeds that count up
    /// are spread evenly.
    pub fn new(settings: Arc<Settings>, now: Millis, seed: u32) -> Session {
        Session {
            terms: Terms::new(&settings, None, now, seed),
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
            signs: 0,
        }
    }

    /// With what was agreed on in the handshake. `owner`: who pays for what its compression keeps between messages.
    pub fn with_compression(mut self, compression: Option<Compression>, owner: Owner, spares: &Spares) -> Session {
        if let Some(compression) = compression {
            self.decoder = Decoder::with_compression(&compression.params, spares.pool.shelf(), owner);
            self.compressor = Some(Box::new(Compressor::new(compression, spares.pool.shelf(), owner)));
        }
        self
    }

    /// Other settings hold from now on; times that the old ones did not count are counted from now on. See [`Session::new`].
    pub fn configure(&mut self, settings: Arc<Settings>, now: Millis, seed: u32) {
        let old = self.terms.take().map(|terms| (terms, &*self.settings));
        self.terms = Terms::new(&settings, old, now, seed);
        self.settings = settings;
    }

    /// The connection is to be closed with 1001 at that time, unless other settings come before.
    pub fn leave(&mut self, at: Millis, now: Millis) {
        if self.phase == Phase::Open {
            self.terms.get_or_insert_with(|| Terms::begin(&self.settings, None, now, 0)).leave = Some(at);
        }
    }

    /// When it leaves, if it was told to.
    pub fn leaves_at(&self) -> Option<Millis> {
        self.terms.as_ref().and_then(|terms| terms.leave)
    }

    /// Bytes arrived: takes the next message out of `input`, which is advanced. `None`: `input` is used up, or the connection ended.
    ///
    /// Pings and close frames are answered and violations failed with the right code on the way. `peer`: whose bytes they are, for what all
    /// share.
    pub fn receive<'a>(&mut self, input: &mut &'a mut [u8], now: Millis, peer: Peer, spares: &mut Spares) -> Option<Message<'a>> {
        self.last_heard = now;
        if std::mem::take(&mut self.pinged) {
            self.signs |= BROKE_SILENCE;
        }
        let limits = Limits { max_message_size: self.settings.max_message_size, max_frame_size: self.settings.max_frame_size };
        while matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            if self.terms.is_some() && self.hold(input) {
                return None;
            }
            let before = input.len();
            let item = self.decoder.next(input, &limits, &mut spares.pool);
            if self.terms.is_some() && self.is_overdrawn(&item, before - input.len(), now) {
                self.fail(Failed::Violation, close::POLICY, "more was sent than rate_limit allows", now, spares);
                return None;
            }
            match item {
                Ok(None) => {
                    if let Err(error) = self.decoder.settle(now, peer, &spares.pool) {
                        self.fail_for(error, now, spares);
                        return None;
                    }
                    if self.terms.is_some() {
                        self.hold(input);
                    }
                    return None;
                }
                Ok(Some(Item::Message { binary, payload })) => return Some(Message { binary, payload }),
                Ok(Some(Item::Ping(payload))) => self.pong(payload.as_slice(), spares),
                Ok(Some(Item::Pong(payload))) => self.received_pong(payload.as_slice()),
                Ok(Some(Item::Close(frame))) => self.received_close(frame, now, spares),
                Err(error) => self.fail_for(error, now, spares),
            }
        }
        None
    }

    /// The [`Budget`](fws_wire::Budget) of unfinished messages says that this connection's has to go. Nothing happens if it is whole by now.
    pub fn evict(&mut self, now: Millis, spares: &mut Spares) {
        if matches!(self.phase, Phase::Open | Phase::Closing { .. }) && self.decoder.is_evicted() {
            self.fail_for(Error::NoRoom, now, spares);
        }
    }

    /// The connection is pinged every so many milliseconds from now on, silent or not; 0: never; `None`: as its settings say.
    pub fn set_ping_interval(&mut self, interval: Option<u32>, now: Millis) {
        self.own_interval = match interval {
            None => OwnInterval::Absent,
            Some(0) => OwnInterval::Off,
            Some(every) => OwnInterval::Every(every),
        };
        // A ping that waits for its pong goes on to wait, unless nobody wants to know.
        if !self.pinged || self.own_interval == OwnInterval::Off {
            self.last_ping = now;
            self.pinged = false;
        }
    }

    /// What has happened to pings since the last call, for who measures their time.
    pub fn take_signs(&mut self) -> Signs {
        let signs = std::mem::take(&mut self.signs);
        let has = |sign| signs & sign != 0;
        Signs { ping_sent: has(PING_SENT), pong_received: has(PONG_RECEIVED), broke_silence: has(BROKE_SILENCE) }
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

    /// Counts what was received. `true`: it is more than the route stands.
    ///
    /// Whatever costs more to handle than to receive counts as a message: pings, pongs that nobody asked for, short fragments.
    fn is_overdrawn(&mut self, item: &Result<Option<Item<'_>>, Error>, bytes: usize, now: Millis) -> bool {
        let Some(terms) = self.terms.as_deref_mut() else { return false };
        let counts = match item {
            Ok(Some(Item::Message { .. })) => {
                terms.last_message = now;
                true
            }
            Ok(Some(Item::Ping(_))) => true,
            Ok(Some(Item::Pong(payload))) => !(self.pong_due && is_pong_to(payload.as_slice(), self.pings)),
            Ok(Some(Item::Close(_)) | None) | Err(_) => false,
        };
        let (Some(limit), Some(meter)) = (&self.settings.rate_limit, &mut terms.meter) else { return false };
        let messages = u64::from(counts) + u64::from(self.decoder.take_short_fragments());
        meter.charge(limit, messages, bytes, now);
        limit.exceed == Exceed::Close && meter.is_overdrawn()
    }

    /// Holds back what the client sent too early, if it did: `input` is kept, and nothing is read until [`Session::resume`].
    fn hold(&mut self, input: &mut &mut [u8]) -> bool {
        let Some(terms) = self.terms.as_deref_mut() else { return false };
        if let Some(held) = &mut terms.held {
            let input: &mut [u8] = std::mem::take(input);
            held.rest.extend_from_slice(input);
            return true;
        }
        let (Some(limit), Some(meter)) = (&self.settings.rate_limit, &mut terms.meter) else { return false };
        if limit.exceed == Exceed::Close || self.phase != Phase::Open {
            return false;
        }
        meter.charge(limit, 0, 0, self.last_heard);
        let Some(wait) = meter.wait(limit, !input.is_empty()) else { return false };
        terms.held = Some(Held { until: self.last_heard.saturating_add(wait), rest: std::mem::take(input).to_vec() });
        true
    }

    /// Whether the client sent too fast and is not read for the moment.
    pub fn is_held(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.held.is_some())
    }

    /// What was held back and may be looked at now: it is to be given to [`Session::receive`]. `None`: nothing is, or not yet.
    pub fn resume(&mut self, now: Millis) -> Option<Vec<u8>> {
        let terms = self.terms.as_deref_mut()?;
        let held = terms.held.take_if(|held| held.until <= now)?;
        self.heard(now);
        Some(held.rest)
    }

    /// The client is known to be there, or not listened to.
    pub fn heard(&mut self, now: Millis) {
        self.decoder.excuse(now);
        self.last_heard = now;
        self.pinged = false;
        if let Some(terms) = &mut self.terms {
            terms.last_message = now;
        }
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
            self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, failed: None }));
        }
        self.phase = Phase::Ended;
        self.outbox = None;
        self.late_pong = None;
        self.terms = None;
    }

    /// Queues an encoded message, compressed only where that was agreed on. `false`: the connection is closing and nothing more can be
    /// sent.
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
            // Its answer may lie behind what it sent too fast.
            if let Some(held) = self.terms.as_mut().and_then(|terms| terms.held.as_mut()) {
                held.until = now;
            }
        }
    }

    /// Where the settings say so, drops the oldest messages that have not begun to be written until `len` more bytes fit, and the
    /// `posted` ones that are on their way behind them.
    pub fn make_room(&mut self, len: usize, posted: usize) -> Room {
        let most = outbox_room(self.settings.max_outbox);
        if self.settings.slow_client != SlowClient::DropOldest || self.phase != Phase::Open {
            return Room { dropped: 0, fits: true };
        }
        let over = (self.outbox_len() + len + posted).saturating_sub(most);
        // With a context that outlives messages, later ones could not be decompressed without the one that was dropped.
        let dependent = self.compressor.as_ref().is_some_and(|compressor| compressor.compression.params.server_takeover);
        let dropped = match self.outbox.as_deref_mut() {
            Some(outbox) if over > 0 && !dependent => outbox.drop_oldest(over),
            _ => 0,
        };
        // A frame that was begun stays, however long.
        Room { dropped, fits: self.outbox_len() + len <= most }
    }

    /// Closes a client that does not read as fast as it is sent to, and drops what waits for it, so that the close frame is the next
    /// that it reads. How many messages were dropped; `None`: it is closing already.
    pub fn close_slow(&mut self, now: Millis, spares: &mut Spares) -> Option<u64> {
        if self.phase != Phase::Open {
            return None;
        }
        let dropped = self.outbox.as_deref_mut().map_or(0, |outbox| outbox.drop_oldest(usize::MAX));
        self.late_pong = None;
        self.close(close::TRY_AGAIN_LATER, "too slow: max_outbox was reached", now, spares);
        Some(dropped)
    }

    /// Does what is due; [`Session::deadline`] says when to call again.
    pub fn tick(&mut self, now: Millis, spares: &mut Spares) {
        if let Some(terms) = self.terms.as_deref_mut().filter(|_| self.phase == Phase::Open) {
            if let Some(reason) = terms.over(&self.settings, now) {
                return self.close(close::GOING_AWAY, reason, now, spares);
            }
            if terms.held.is_some() {
                // Its pong may lie in what is not looked at.
                self.heard(now);
            }
        }
        if self.message_due().is_some_and(|due| due <= now) {
            let reason = "a message was not complete within message_timeout";
            return self.fail(Failed::Unfinished, close::TRY_AGAIN_LATER, reason, now, spares);
        }
        if self.due().is_none_or(|due| now < due) {
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
        let terms = self.terms.as_deref();
        let end = terms.filter(|_| self.phase == Phase::Open).and_then(|terms| terms.end(&self.settings));
        let resume = terms.and_then(|terms| terms.held.as_ref()).map(|held| held.until);
        [self.due(), end, resume, self.message_due()].into_iter().flatten().min()
    }

    /// When a message that is half-received must be whole. Whoever goes on sending at a kB a second has time without end; who dribbles
    /// has not.
    pub fn message_due(&self) -> Option<Millis> {
        let timeout = self.settings.message_timeout;
        if timeout == 0 || self.phase != Phase::Open {
            return None;
        }
        let (since, came) = self.decoder.half_received()?;
        Some(since.saturating_add(timeout).saturating_add(came))
    }

    /// When the phase has something to do.
    fn due(&self) -> Option<Millis> {
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

    /// Whether the socket should be read: not while too much waits to be written, or the client sent too fast. In the last phase what comes
    /// is thrown away.
    pub fn wants_read(&self) -> bool {
        self.outbox_len() <= outbox_room(self.settings.max_outbox) && self.phase != Phase::Ended && !self.is_held()
    }

    /// Whether our close frame is on its way, and the client's is waited for.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
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
        if outbox.len() <= outbox_room(self.settings.max_outbox)
            && let Some(late) = self.late_pong.take()
            // Behind our close frame it would come too late.
            && self.phase == Phase::Open
        {
            outbox.encode(OpCode::Control(Control::Pong), &late.0);
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

    /// Sends a ping now, unless one is unanswered or the connection is closing.
    pub fn ping(&mut self, now: Millis, spares: &mut Spares) {
        if self.phase != Phase::Open || self.pinged {
            return;
        }
        self.pinged = true;
        self.pong_due = true;
        self.last_ping = now;
        self.pings = self.pings.wrapping_add(1);
        self.signs |= PING_SENT;
        let number = self.pings.to_be_bytes();
        self.outbox(spares).encode(OpCode::Control(Control::Ping), &number);
    }

    fn received_pong(&mut self, payload: &[u8]) {
        // RFC 6455, 5.5.3: a pong to a ping "must have identical 'Application data'"; others are a heartbeat of the client's own.
        if self.pong_due && is_pong_to(payload, self.pings) {
            self.pong_due = false;
            self.signs |= PONG_RECEIVED;
        }
    }

    fn pong(&mut self, payload: &[u8], spares: &mut Spares) {
        // RFC 6455, 5.5.2: a pong is due "unless it already received a Close frame" (then nothing is decoded any more) – and none
        // may follow our own close frame (5.5.1).
        if self.phase != Phase::Open {
            return;
        }
        if self.outbox_len() > outbox_room(self.settings.max_outbox) {
            self.late_pong = Some(Box::new(LatePong(payload.into())));
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
        self.closed = Some(Box::new(Closed { code: first.code, reason: first.reason, clean: true, failed: None }));
        self.end(now);
    }

    fn fail_for(&mut self, error: Error, now: Millis, spares: &mut Spares) {
        let why = match error.fault() {
            Fault::NoRoom => Failed::NoRoom,
            Fault::WindowLost => Failed::WindowLost,
            Fault::Peer => Failed::Violation,
        };
        self.fail(why, error.close_code(), &error.to_string(), now, spares);
    }

    /// RFC 6455, 7.1.7: "Fail the WebSocket Connection": our close frame, then no more is looked at.
    fn fail(&mut self, why: Failed, code: u16, reason: &str, now: Millis, spares: &mut Spares) {
        // The first close frame is the one that counts: ours, if it is on its way already.
        let code = match self.sent_close.take() {
            Some(ours) => ours.code,
            None => {
                self.outbox(spares).encode(OpCode::Control(Control::Close), &close::body(code, reason));
                code
            }
        };
        self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, failed: Some(why) }));
        self.end(now);
    }

    /// No more frames: what they needed is given up.
    fn end(&mut self, now: Millis) {
        self.phase = Phase::Ending { begun: now, since: now, half_closed: false };
        self.decoder = Decoder::default();
        self.compressor = None;
        self.terms = None;
    }
}

/// RFC 6455, 5.5.3: a pong to a ping "must have identical 'Application data'".
fn is_pong_to(payload: &[u8], ping: u32) -> bool {
    payload == ping.to_be_bytes()
}

#[cfg(test)]
mod tests;
