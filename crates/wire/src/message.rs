//! Frames put together to messages (RFC 6455, 5.4), with every check and limit of what a client may send.
//!
//! The decoder owns nothing while no frame is half-received, and grows only by bytes that have arrived: what a header declares is
//! compared with the limit and never reserved.

use std::sync::Arc;

use crate::budget::{Peer, Share};
use crate::close::{self, CloseFrame};
use crate::deflate::{Inflater, Lent, Params, Place, Pool, Shelf, Sink, Window};
use crate::frame::{self, Control, Data, Header, OpCode};
use crate::{Error, Owner};

/// What a client may send. Copied into each call rather than kept, so that a changed limit holds at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, bytes of payload over all its fragments.
    pub max_message_size: u64,
    /// The longest frame, bytes of payload on the wire.
    pub max_frame_size: u64,
}

impl Limits {
    /// The most bytes that the frames of a compressed message may have: DEFLATE makes what does not compress a little longer, and each
    /// flush of the client adds some bytes. Without this a message of empty blocks would never end.
    fn max_compressed(&self) -> u64 {
        self.max_message_size.saturating_mul(2).saturating_add(1024)
    }
}

/// One thing that was received whole.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A text (valid UTF-8) or binary message.
    Message {
        /// Binary rather than text.
        binary: bool,
        /// Its payload.
        payload: Payload<'a>,
    },
    /// A ping, to be answered with a pong of the same payload (5.5.2).
    Ping(Payload<'a>),
    /// A pong (5.5.3).
    Pong(Payload<'a>),
    /// A close frame: nothing after it is to be looked at (5.5.1).
    Close(CloseFrame),
}

/// A message's bytes: in the receive buffer where it came in one piece, else put together.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Lies unmasked in the buffer given to [`Decoder::next`].
    Received(&'a [u8]),
    /// Assembled from several reads or fragments.
    Assembled(Vec<u8>),
}

impl Payload<'_> {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Payload::Received(bytes) => bytes,
            Payload::Assembled(bytes) => bytes,
        }
    }

    /// The bytes as their own allocation, of exactly their length.
    pub fn into_boxed(self) -> Box<[u8]> {
        match self {
            Payload::Received(bytes) => bytes.into(),
            Payload::Assembled(bytes) => bytes.into_boxed_slice(),
        }
    }
}

/// The state of what is half-received; empty between messages, but for the context of a client that keeps one.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    inflation: Option<Box<Inflation>>,
}

/// Where compression was negotiated.
#[derive(Debug)]
struct Inflation {
    window_bits: u8,
    /// A window had to be given up: what the client refers to may be missing.
    lost: bool,
    /// With takeover: where the window is kept, to which the next message may refer. Nothing is there before the first compressed one.
    window: Option<Place<Window>>,
}

/// A half-received header, frame or message.
#[derive(Debug, Default)]
struct Partial {
    header: [u8; frame::MAX_HEADER],
    header_len: usize,
    /// The frame whose payload is being received, and how much of it came.
    frame: Option<(Header, u64)>,
    control: Vec<u8>,
    /// The fragmented or half-received message: its kind, its bytes so far, and how many of them are known to be UTF-8.
    message: Option<bool>,
    data: Vec<u8>,
    valid: usize,
    /// What the message takes of the budget, where it did not come in one piece.
    share: Option<Share>,
    /// Where the message is compressed: its context, and the bytes of its frames so far.
    inflater: Option<Box<Inflater>>,
    compressed_len: u64,
    /// Since when it is half-received, as far as that was [looked at](Decoder::end_read), and how many bytes of it came.
    since: Option<u64>,
    came: u64,
    /// Fragments of this message that were shorter than [`SHORT`] and not its last, and were not counted yet.
    short: u32,
}

/// A message takes nothing out of the budget up to this length: short ones shall come through even if others have used it up.
const FREE: usize = 4 * 1024;
/// A fragment that is shorter costs more to handle than to receive.
const SHORT: u64 = 1024;

impl Inflation {
    fn begin(&mut self, pool: &mut Pool) -> Box<Inflater> {
        let mut inflater = pool.inflater();
        let window = self.window.as_mut().map(|place| match place.lend() {
            Lent::Item(window) => window,
            Lent::Nothing => Window::new(self.window_bits),
            Lent::Lost => {
                self.lost = true;
                Window::new(self.window_bits)
            }
        });
        inflater.begin(window);
        inflater
    }

    fn end(&mut self, mut inflater: Box<Inflater>, message: &[u8], empty: bool, pool: &mut Pool) -> Result<(), Error> {
        let window = if empty { inflater.give_up() } else { inflater.finish(message)? };
        pool.give_inflater(inflater);
        if let (Some(place), Some(window)) = (&mut self.window, window) {
            self.lost &= !window.is_full();
            place.keep(window);
        }
        Ok(())
    }

    /// Of what refers to a window that was given up, nobody can tell whether it is right.
    fn blame(&self, error: Error) -> Error {
        if error == Error::CorruptDeflate && self.lost { Error::WindowLost } else { error }
    }
}

/// A message that is being inflated.
struct Inflated<'a> {
    partial: &'a mut Partial,
    limits: &'a Limits,
}

impl Sink for Inflated<'_> {
    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.partial.append(piece, None, self.limits)
    }

    fn taken(&self) -> &[u8] {
        &self.partial.data
    }
}

impl Partial {
    /// Adds to the message, which must not become too long or cease to be text: of the two, what comes first is told. `rest`: how many
    /// bytes the message will have from here on, these included, if that is known.
    fn append(&mut self, bytes: &[u8], rest: Option<u64>, limits: &Limits) -> Result<(), Error> {
        let most = usize::try_from(limits.max_message_size).unwrap_or(usize::MAX).saturating_sub(self.data.len());
        let too_long = bytes.len() > most;
        let bytes = &bytes[..bytes.len().min(most)];
        // Doubling, but never beyond what this message will or may still become.
        if self.data.capacity() - self.data.len() < bytes.len() {
            let rest = rest.and_then(|rest| usize::try_from(rest).ok()).unwrap_or(most);
            let more = bytes.len().max(self.data.len().min(rest)).min(most);
            self.data.reserve_exact(more);
        }
        self.data.extend_from_slice(bytes);
        if self.message == Some(false) {
            self.valid = valid_utf8(&self.data, self.valid)?;
        }
        if too_long { Err(Error::MessageTooLong { limit: limits.max_message_size }) } else { Ok(()) }
    }

    /// What it takes, as far as others could miss it.
    fn held(&self) -> usize {
        self.data.capacity() + self.control.capacity() + self.inflater.as_ref().map_or(0, |inflater| inflater.held())
    }

    /// What was half-received is whole: what comes now has its time from its own beginning.
    fn begin_anew(&mut self) {
        (self.since, self.came, self.share) = (None, 0, None);
    }

    fn is_empty(&self) -> bool {
        self.header_len == 0 && self.frame.is_none() && self.message.is_none()
    }
}

impl Decoder {
    /// For a connection that negotiated compression. `shelf`: where its window is kept between messages, at the cost of `owner`.
    pub fn with_compression(params: &Params, shelf: &Arc<Shelf>, owner: Owner) -> Decoder {
        let window = params.client_takeover.then(|| Place::new(shelf, owner));
        let inflation = Inflation { window_bits: params.client_bits, lost: false, window };
        Decoder { partial: None, inflation: Some(Box::new(inflation)) }
    }

    /// Takes the next whole item out of `input`, advancing it; `None` when all of `input` is used up.
    ///
    /// `pool` lends what compressed messages need. After an error the connection is to be failed; the decoder must not be used again.
    /// Once all of `input` is used up, [`Decoder::end_read`] is to be called.
    pub fn next<'a>(&mut self, input: &mut &'a mut [u8], limits: &Limits, pool: &mut Pool) -> Result<Option<Item<'a>>, Error>
    where
        Self: 'a,
    {
        loop {
            if input.is_empty() {
                return Ok(None);
            }
            if let Some(item) = match self.partial.as_deref().map(|p| p.frame.is_some()) {
                Some(true) => self.receive_payload(input, limits, pool)?,
                _ => self.receive_header(input, limits, pool)?,
            } {
                return Ok(Some(item));
            }
        }
    }

    /// Sees to what is half-received now that nothing more of it is there: its time runs from `now` on, if it does not yet, and it takes
    /// what it holds out of the budget. Messages that came in one piece cost nothing of either. An error: it has to go.
    pub fn end_read(&mut self, now: u64, peer: Peer, pool: &Pool) -> Result<(), Error> {
        let Some(partial) = self.partial.as_deref_mut() else { return Ok(()) };
        if partial.is_empty() {
            self.partial = None;
            return Ok(());
        }
        partial.since.get_or_insert(now);
        let held = partial.held();
        match &partial.share {
            Some(share) => share.hold(held),
            None if held <= FREE => Ok(()),
            None => {
                partial.share = Some(Share::of(&pool.budget, peer, held)?);
                Ok(())
            }
        }
    }

    /// Whether what is half-received had to go in favour of others: the connection is to be failed with [`Error::NoRoom`].
    pub fn is_evicted(&self) -> bool {
        self.partial.as_ref().and_then(|partial| partial.share.as_ref()).is_some_and(Share::is_evicted)
    }

    /// Since when something is half-received, and how many bytes of it came.
    pub fn half_received(&self) -> Option<(u64, u64)> {
        self.partial.as_ref().and_then(|partial| Some((partial.since?, partial.came)))
    }

    /// What is half-received has its time from `now` on: nobody has listened to the client.
    pub fn excuse(&mut self, now: u64) {
        if let Some(since) = self.partial.as_mut().and_then(|partial| partial.since.as_mut()) {
            *since = now;
        }
    }

    /// How many fragments came since the last call that were neither long nor the end of a message.
    pub fn take_short_fragments(&mut self) -> u32 {
        self.partial.as_mut().map_or(0, |partial| std::mem::take(&mut partial.short))
    }

    /// Bytes held for a message that is not whole yet.
    pub fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |p| p.data.capacity() + p.control.capacity())
    }

    /// The header of the next frame. `None`: it is not whole yet; what came of it is kept.
    fn decode_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, Error> {
        let held = self.partial.as_ref().map_or(0, |p| p.header_len);
        let deflate = self.inflation.is_some();
        Ok(Some(if held == 0 {
            match frame::decode(input, deflate)? {
                Some((header, used)) => {
                    advance(input, used);
                    header
                }
                None => {
                    let partial = self.partial.get_or_insert_default();
                    partial.header[..input.len()].copy_from_slice(input);
                    partial.header_len = input.len();
                    advance(input, input.len());
                    return Ok(None);
                }
            }
        } else {
            let partial = self.partial.get_or_insert_default();
            let more = input.len().min(frame::MAX_HEADER - held);
            partial.header[held..held + more].copy_from_slice(&input[..more]);
            match frame::decode(&partial.header[..held + more], deflate)? {
                Some((header, used)) => {
                    advance(input, used - held);
                    partial.header_len = 0;
                    header
                }
                None => {
                    partial.header_len = held + more;
                    advance(input, more);
                    return Ok(None);
                }
            }
        }))
    }

    fn receive_header<'a>(&mut self, input: &mut &'a mut [u8], limits: &Limits, pool: &mut Pool) -> Result<Option<Item<'a>>, Error> {
        let Some(header) = self.decode_header(input)? else { return Ok(None) };
        self.check(&header, limits)?;

        // The common case: the whole frame is in the buffer and needs nothing of what came before.
        let whole = usize::try_from(header.length).ok().filter(|&length| length <= input.len());
        if let Some(length) = whole {
            match header.opcode {
                OpCode::Data(kind) if header.fin && kind != Data::Continue && !header.compressed => {
                    self.end_of_header();
                    let payload = split(input, length);
                    frame::unmask(payload, header.mask, 0);
                    let binary = kind == Data::Binary;
                    if !binary && simdutf8::basic::from_utf8(payload).is_err() {
                        return Err(Error::InvalidUtf8);
                    }
                    return Ok(Some(Item::Message { binary, payload: Payload::Received(payload) }));
                }
                OpCode::Control(kind) => {
                    self.end_of_header();
                    let payload = split(input, length);
                    frame::unmask(payload, header.mask, 0);
                    return control(kind, Payload::Received(payload)).map(Some);
                }
                OpCode::Data(_) => {}
            }
        }
        let partial = self.partial.get_or_insert_default();
        if let OpCode::Data(kind) = header.opcode
            && kind != Data::Continue
        {
            partial.message = Some(kind == Data::Binary);
            if header.compressed {
                let inflation = self.inflation.as_deref_mut().expect("bug: a compressed message where none was negotiated");
                partial.inflater = Some(inflation.begin(pool));
            }
        }
        partial.frame = Some((header, 0));
        // A frame without payload is finished by its header alone.
        if header.length == 0 { self.finish_frame(header, pool) } else { Ok(None) }
    }

    /// A frame is whole whose header may have come in pieces.
    fn end_of_header(&mut self) {
        if let Some(partial) = self.partial.as_deref_mut().filter(|partial| partial.message.is_none()) {
            partial.begin_anew();
        }
    }

    /// What of a header only the message before it can tell.
    fn check(&self, header: &Header, limits: &Limits) -> Result<(), Error> {
        let OpCode::Data(kind) = header.opcode else { return Ok(()) };
        let partial = self.partial.as_deref();
        let started = partial.is_some_and(|p| p.message.is_some());
        // RFC 6455, 5.4: fragments of one message "MUST NOT be interleaved between the fragments of another message".
        match (kind, started) {
            (Data::Continue, false) => return Err(Error::ContinuationWithoutStart),
            (Data::Text | Data::Binary, true) => return Err(Error::MessageInterleaved),
            _ => {}
        }
        if header.length > limits.max_frame_size {
            return Err(Error::FrameTooLong { limit: limits.max_frame_size });
        }
        // What a compressed message becomes is known only when it is inflated.
        let (so_far, most) = if header.compressed || partial.is_some_and(|p| p.inflater.is_some()) {
            (partial.map_or(0, |p| p.compressed_len), limits.max_compressed())
        } else {
            (partial.map_or(0, |p| p.data.len()) as u64, limits.max_message_size)
        };
        if so_far.saturating_add(header.length) > most {
            return Err(Error::MessageTooLong { limit: limits.max_message_size });
        }
        Ok(())
    }

    fn receive_payload<'a>(&mut self, input: &mut &'a mut [u8], limits: &Limits, pool: &mut Pool) -> Result<Option<Item<'a>>, Error> {
        let partial = self.partial.as_deref_mut().expect("bug: a payload without a frame");
        let (header, received) = partial.frame.expect("bug: a payload without a frame");
        let left = header.length - received;
        let here = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let bytes = split(input, here);
        frame::unmask(bytes, header.mask, received);
        match header.opcode {
            OpCode::Control(_) => partial.control.extend_from_slice(bytes),
            OpCode::Data(_) => match partial.inflater.take() {
                None => partial.append(bytes, header.fin.then_some(left), limits)?,
                Some(mut inflater) => {
                    partial.compressed_len += bytes.len() as u64;
                    let inflated = inflater.inflate(bytes, pool.scratch(), &mut Inflated { partial, limits });
                    inflated.map_err(|error| self.inflation.as_ref().map_or(error, |inflation| inflation.blame(error)))?;
                    partial.inflater = Some(inflater);
                }
            },
        }
        // A control frame in between brings the message no further.
        partial.came += if matches!(header.opcode, OpCode::Data(_)) { here as u64 } else { 0 };
        partial.frame = Some((header, received + here as u64));
        if here as u64 == left { self.finish_frame(header, pool) } else { Ok(None) }
    }

    fn finish_frame<'a>(&mut self, header: Header, pool: &mut Pool) -> Result<Option<Item<'a>>, Error> {
        let partial = self.partial.as_deref_mut().expect("bug: a frame's end without a frame");
        partial.frame = None;
        match header.opcode {
            OpCode::Control(kind) => {
                let payload = std::mem::take(&mut partial.control);
                if partial.message.is_none() {
                    partial.begin_anew();
                }
                control(kind, Payload::Assembled(payload)).map(Some)
            }
            OpCode::Data(_) if header.fin => {
                let binary = partial.message.take().expect("bug: a message's end without its start");
                if let (Some(inflater), Some(inflation)) = (partial.inflater.take(), self.inflation.as_deref_mut()) {
                    // RFC 7692, 7.2.3.6 has one byte for an empty message. Compressors that were flushed already make none of it.
                    let empty = std::mem::take(&mut partial.compressed_len) == 0;
                    inflation.end(inflater, &partial.data, empty, pool).map_err(|error| inflation.blame(error))?;
                }
                let data = std::mem::take(&mut partial.data);
                partial.begin_anew();
                if !binary && partial.valid != data.len() {
                    return Err(Error::InvalidUtf8);
                }
                partial.valid = 0;
                Ok(Some(Item::Message { binary, payload: Payload::Assembled(data) }))
            }
            OpCode::Data(_) => {
                partial.short = partial.short.saturating_add(u32::from(header.length < SHORT));
                Ok(None)
            }
        }
    }
}

fn control(kind: Control, payload: Payload<'_>) -> Result<Item<'_>, Error> {
    Ok(match kind {
        Control::Close => Item::Close(close::parse(payload.as_slice())?),
        Control::Ping => Item::Ping(payload),
        Control::Pong | Control::Reserved(_) => Item::Pong(payload),
    })
}

/// How much of `data` is UTF-8, given that `valid` bytes are known to be: all of it or all but a cut-off last character.
///
/// RFC 6455, 8.1 lets an endpoint fail as soon as a byte cannot belong to valid text, so the rest need not be waited for.
fn valid_utf8(data: &[u8], valid: usize) -> Result<usize, Error> {
    match simdutf8::compat::from_utf8(&data[valid..]) {
        Ok(_) => Ok(data.len()),
        Err(e) if e.error_len().is_none() => Ok(valid + e.valid_up_to()),
        Err(_) => Err(Error::InvalidUtf8),
    }
}

fn advance(input: &mut &mut [u8], by: usize) {
    split(input, by);
}

fn split<'a>(input: &mut &'a mut [u8], at: usize) -> &'a mut [u8] {
    let (head, tail) = std::mem::take(input).split_at_mut(at);
    *input = tail;
    head
}

#[cfg(test)]
mod tests;
