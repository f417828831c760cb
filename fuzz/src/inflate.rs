//! Compressed messages: any bytes inflate as an independent inflater has them, in whatever pieces; what is deflated inflates to itself.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use fws_wire::Error;
use fws_wire::deflate::{Deflater, Inflater, Sink, Window};

use crate::segments;

/// What one message may become here; a bomb is to be noticed while it goes off.
const MOST: usize = 1 << 20;
/// RFC 7692, 7.2.2.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The first byte chooses windows and levels; the rest is inflated, and then deflated.
pub fn check(data: &[u8]) {
    let Some((&choice, message)) = data.split_first() else { return };
    let window_bits = 8 + choice % 8;
    let keep = choice & 0x80 != 0;
    let scratch = [1, 7, 64, 16 * 1024][usize::from(choice >> 3) % 4];
    let outcomes = segments::lengths(message).map(|lengths| inflate(message, &lengths, window_bits, scratch, keep));
    for outcome in &outcomes {
        match (&outcomes[0], outcome) {
            (Ok(whole), Ok(pieces)) => assert!(whole == pieces, "in pieces it is another message"),
            (Err(whole), Err(pieces)) => assert_eq!(whole, pieces, "in pieces something else is wrong"),
            (whole, pieces) => panic!("whole {:?}, in pieces {:?}", whole.as_ref().map(Vec::len), pieces.as_ref().map(Vec::len)),
        }
    }
    if let (Ok(inflated), Some(reference)) = (&outcomes[0], reference(message)) {
        assert!(reference.as_ref() == Some(inflated), "the reference inflates it to something else");
    }
    deflate(message, window_bits.max(9), 1 + choice % 9, keep);
    foreign(message, keep);
}

/// What a message becomes, if it does not become too much.
struct Bounded {
    inflated: Vec<u8>,
    over: bool,
}

impl Sink for Bounded {
    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        assert!(!self.over, "it goes on after it was stopped");
        self.over = self.inflated.len() + piece.len() > MOST;
        self.inflated.extend_from_slice(piece);
        if self.over { Err(Error::MessageTooLong { limit: MOST as u64 }) } else { Ok(()) }
    }

    fn taken(&self) -> &[u8] {
        &self.inflated
    }
}

fn inflate(message: &[u8], lengths: &[usize], window_bits: u8, scratch: usize, keep: bool) -> Result<Vec<u8>, Error> {
    inflate_behind(&mut keep.then(|| Window::new(window_bits)), message, lengths, scratch)
}

/// A message behind others, which it may refer to in the window.
fn inflate_behind(window: &mut Option<Window>, mut message: &[u8], lengths: &[usize], scratch: usize) -> Result<Vec<u8>, Error> {
    let (mut inflater, mut scratch) = (Inflater::default(), vec![0; scratch]);
    let mut sink = Bounded { inflated: Vec::new(), over: false };
    inflater.begin(window.take());
    for &length in lengths {
        let (piece, rest) = message.split_at(length);
        message = rest;
        inflater.inflate(piece, &mut scratch, &mut sink)?;
    }
    *window = inflater.finish(&sink.inflated)?;
    Ok(sink.inflated)
}

/// miniz_oxide's opinion. `None`: it has none, as it forgets what came before a block with BFINAL, to which others may refer here (RFC
/// 7692, 7.2.3.4).
fn reference(message: &[u8]) -> Option<Option<Vec<u8>>> {
    let (mut stream, mut inflated) = (Decompress::new(false), Vec::new());
    for mut part in [message, &TAIL] {
        while !part.is_empty() {
            let mut out = [0; 4096];
            let before = (stream.total_in(), stream.total_out());
            let Ok(status) = stream.decompress(part, &mut out, FlushDecompress::None) else { return Some(None) };
            let (used, made) = ((stream.total_in() - before.0) as usize, (stream.total_out() - before.1) as usize);
            part = &part[used..];
            inflated.extend_from_slice(&out[..made]);
            if status == Status::StreamEnd {
                if part.len() > 1 && part != TAIL {
                    return None;
                }
                stream = Decompress::new(false);
            } else if used == 0 && made == 0 {
                return Some(None);
            }
        }
    }
    // What was made and found no room yet.
    loop {
        let mut out = [0; 4096];
        let before = stream.total_out();
        let _ = stream.decompress(&[], &mut out, FlushDecompress::Sync);
        let made = (stream.total_out() - before) as usize;
        inflated.extend_from_slice(&out[..made]);
        if made == 0 {
            return Some(Some(inflated));
        }
    }
}

/// What is deflated here, twice with or without a context, is read by both.
fn deflate(payload: &[u8], window_bits: u8, level: u8, takeover: bool) {
    let (mut deflater, mut window) = (Deflater::new(level, window_bits, takeover), takeover.then(|| Window::new(window_bits)));
    for _ in 0..2 {
        let mut buffer = Vec::new();
        let Some(deflated) = deflater.deflate(payload, &mut buffer) else { return };
        assert!(deflated.len() < payload.len(), "it became longer");
        let inflated = inflate_behind(&mut window, deflated, &[deflated.len()], 1000);
        assert!(inflated.as_deref() == Ok(payload), "it is another message");
        if !takeover {
            assert!(reference(deflated) == Some(Some(payload.to_vec())), "the reference inflates it to something else");
            deflater.reset();
        }
    }
}

/// What another compressor made is read here.
fn foreign(payload: &[u8], keep: bool) {
    let mut stream = Compress::new(Compression::fast(), false);
    let mut deflated = Vec::with_capacity(2 * payload.len() + 64);
    if stream.compress_vec(payload, &mut deflated, FlushCompress::Sync).is_err() || stream.total_in() as usize != payload.len() {
        return;
    }
    let Some(deflated) = deflated.strip_suffix(&TAIL) else { return };
    for lengths in segments::lengths(deflated) {
        assert!(inflate(deflated, &lengths, 15, 1000, keep).as_deref() == Ok(payload), "{} bytes", payload.len());
    }
}
