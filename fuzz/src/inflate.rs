//! Compressed messages: any bytes inflate as an independent inflater has them, in whatever pieces; what is deflated inflates to itself.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use fws_wire::Error;
use fws_wire::deflate::{Deflater, Inflater};

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
    // Where the context is kept nobody looks whether the message ended with a block.
    if let (Ok(inflated), false) = (&outcomes[0], keep) {
        assert!(reference(message).as_ref() == Some(inflated), "the reference inflates it to something else");
    }
    deflate(message, window_bits.max(9), 1 + choice % 9, keep);
    foreign(message, keep);
}

fn inflate(mut message: &[u8], lengths: &[usize], window_bits: u8, scratch: usize, keep: bool) -> Result<Vec<u8>, Error> {
    let (mut inflater, mut scratch, mut inflated) = (Inflater::new(window_bits), vec![0; scratch], Vec::new());
    for &length in lengths {
        let (piece, rest) = message.split_at(length);
        message = rest;
        let mut over = false;
        inflater.inflate(piece, &mut scratch, |bytes| {
            assert!(!over, "it goes on after it was stopped");
            over = inflated.len() + bytes.len() > MOST;
            inflated.extend_from_slice(bytes);
            if over { Err(Error::MessageTooLong { limit: MOST as u64 }) } else { Ok(()) }
        })?;
    }
    inflater.finish(keep)?;
    Ok(inflated)
}

/// miniz_oxide's opinion; blocks with BFINAL are followed by others (RFC 7692, 7.2.3.4).
fn reference(message: &[u8]) -> Option<Vec<u8>> {
    let (mut stream, mut inflated) = (Decompress::new(false), Vec::new());
    for mut part in [message, &TAIL] {
        while !part.is_empty() {
            let mut out = [0; 4096];
            let before = (stream.total_in(), stream.total_out());
            let status = stream.decompress(part, &mut out, FlushDecompress::None).ok()?;
            let (used, made) = ((stream.total_in() - before.0) as usize, (stream.total_out() - before.1) as usize);
            part = &part[used..];
            inflated.extend_from_slice(&out[..made]);
            if status == Status::StreamEnd {
                stream = Decompress::new(false);
            } else if used == 0 && made == 0 {
                return None;
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
            return Some(inflated);
        }
    }
}

/// What is deflated here, twice with or without a context, is read by both.
fn deflate(payload: &[u8], window_bits: u8, level: u8, takeover: bool) {
    let (mut deflater, mut inflater) = (Deflater::new(level, window_bits, takeover), Inflater::new(window_bits));
    for _ in 0..2 {
        let mut buffer = Vec::new();
        let Some(deflated) = deflater.deflate(payload, &mut buffer) else { return };
        assert!(deflated.len() < payload.len(), "it became longer");
        let (mut inflated, mut scratch) = (Vec::new(), [0; 1000]);
        let taken = inflater.inflate(deflated, &mut scratch, |bytes| {
            inflated.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!(taken.and_then(|()| inflater.finish(takeover)), Ok(()));
        assert!(inflated == payload, "it is another message");
        if !takeover {
            assert!(reference(deflated).as_deref() == Some(payload), "the reference inflates it to something else");
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
