//! Messages to clients that negotiated compression: compressed on the thread that sends them, once for each way in which clients want
//! it, and not while the hub is locked.

use fws_session::{Compression, Frame};
use fws_wire::deflate::Pool;
use parking_lot::Mutex;

/// Contexts of the threads that send. Locked to borrow and to give back, not to compress.
#[derive(Debug, Default)]
pub struct Compressors(Mutex<Pool>);

/// What clients must have in common to be sent the same compressed bytes: window bits and level.
pub type Kind = (u8, u8);

pub fn kind(compression: &Compression) -> Kind {
    (compression.params.server_bits, compression.level)
}

impl Compressors {
    /// The frame of a message, compressed by a fresh context; `None` where that is not shorter.
    pub fn frame(&self, binary: bool, data: &[u8], (window_bits, level): Kind) -> Option<Frame> {
        let mut deflater = self.0.lock().deflater(level, window_bits);
        let frame = Frame::compressed(binary, data, &mut deflater);
        self.0.lock().give_deflater(deflater);
        frame
    }
}
