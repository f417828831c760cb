//! How one connection compresses what is sent to it.

use fws_wire::deflate::{Deflater, Params, Pool};

/// What was agreed on with a client, and how its route wants it used. Fixed for the life of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// What was agreed on.
    pub params: Params,
    /// 1 (fast) to 9 (small).
    pub level: u8,
    /// Shorter messages are not compressed, bytes.
    pub threshold: u32,
}

impl Compression {
    /// Whether a message of this length is to be compressed.
    pub fn wants(&self, len: usize) -> bool {
        len >= self.threshold as usize
    }
}

/// What a connection has that negotiated compression, but for the context of what it receives.
#[derive(Debug)]
pub(crate) struct Compressor {
    pub compression: Compression,
    /// With takeover: the context, which has seen exactly what the client's has, unless it is stale.
    context: Option<Box<Deflater>>,
    stale: bool,
    /// Received, and not looked at yet: see [`Session::put_by`](crate::Session::put_by).
    pub rest: Vec<u8>,
}

impl Compressor {
    pub fn new(compression: Compression) -> Compressor {
        Compressor { compression, context: None, stale: false, rest: Vec::new() }
    }

    /// Calls `use_it` with the compressed payload; `None`: it is to be sent as it is.
    pub fn deflate<T>(&mut self, payload: &[u8], pool: &mut Pool, use_it: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let Compression { params, level, .. } = self.compression;
        if !self.compression.wants(payload.len()) {
            return None;
        }
        let mut deflater = match self.context.take() {
            Some(mut context) => {
                if std::mem::take(&mut self.stale) {
                    context.reset();
                }
                context
            }
            None if params.server_takeover => Box::new(Deflater::new(level, params.server_bits, true)),
            None => pool.deflater(level, params.server_bits),
        };
        let used = pool.with_buffer(|buffer| deflater.deflate(payload, buffer).map(use_it));
        if params.server_takeover {
            // Else the client will not see what the context has seen.
            self.stale = used.is_none();
            self.context = Some(deflater);
        } else {
            pool.give_deflater(deflater);
        }
        used
    }

    /// The client is sent a message that another context compressed: what it remembers from now on, ours does not know. Messages that
    /// refer to the past would be decompressed to other bytes, without an error.
    pub fn begin_anew(&mut self) {
        self.stale = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_with_takeover_keeps_a_context_between_messages() {
        for server_takeover in [false, true] {
            let params = Params { server_takeover, client_takeover: false, server_bits: 15, client_bits: 15 };
            let mut compressor = Compressor::new(Compression { params, level: 6, threshold: 512 });
            let mut pool = Pool::default();
            assert_eq!(compressor.deflate(&[b'a'; 511], &mut pool, <[u8]>::len), None);
            assert!(compressor.context.is_none(), "what is too short needs none");
            assert!(compressor.deflate(&[b'a'; 512], &mut pool, <[u8]>::len).is_some_and(|len| len < 20));
            assert_eq!(compressor.context.is_some(), server_takeover);
        }
    }
}
