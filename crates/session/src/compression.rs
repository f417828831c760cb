//! How one connection compresses what is sent to it.

use std::sync::Arc;

use fws_wire::Owner;
use fws_wire::deflate::{Deflater, Lent, Params, Place, Pool, Shelf};

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
    /// With takeover: where the context is kept, which has seen exactly what the client's has, unless it is stale.
    context: Option<Place<Box<Deflater>>>,
    stale: bool,
    /// Received, and not looked at yet: see [`Session::put_by`](crate::Session::put_by).
    pub rest: Vec<u8>,
}

impl Compressor {
    pub fn new(compression: Compression, shelf: &Arc<Shelf>, owner: Owner) -> Compressor {
        let context = compression.params.server_takeover.then(|| Place::new(shelf, owner));
        Compressor { compression, context, stale: false, rest: Vec::new() }
    }

    /// Calls `use_it` with the compressed payload; `None`: it is to be sent as it is.
    pub fn deflate<T>(&mut self, payload: &[u8], pool: &mut Pool, use_it: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let Compression { params, level, .. } = self.compression;
        if !self.compression.wants(payload.len()) {
            return None;
        }
        let mut deflater = match self.context.as_mut().map(Place::lend) {
            Some(Lent::Item(mut context)) => {
                if std::mem::take(&mut self.stale) {
                    context.reset();
                }
                context
            }
            // A new one refers to nothing, which any client can read, whatever it has seen.
            Some(Lent::Nothing | Lent::Lost) => Box::new(Deflater::new(level, params.server_bits, true)),
            None => pool.deflater(level, params.server_bits),
        };
        let used = pool.with_buffer(|buffer| deflater.deflate(payload, buffer).map(use_it));
        match &mut self.context {
            Some(place) => {
                // Else the client will not see what the context has seen.
                self.stale = used.is_none();
                place.keep(deflater);
            }
            None => pool.give_deflater(deflater),
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
    use std::sync::atomic::Ordering;

    use fws_wire::deflate::{Inflater, Shelved, Window};

    use super::*;

    fn params(server_takeover: bool) -> Params {
        Params { server_takeover, client_takeover: false, server_bits: 15, client_bits: 15 }
    }

    #[test]
    fn only_a_client_with_takeover_keeps_a_context_between_messages() {
        for server_takeover in [false, true] {
            let compression = Compression { params: params(server_takeover), level: 6, threshold: 512 };
            let shelved = Arc::new(Shelved::default());
            let shelf = Arc::new(Shelf::new(usize::MAX, shelved.clone()));
            let mut compressor = Compressor::new(compression, &shelf, Owner(1));
            let mut pool = Pool::default();
            let kept = || shelved.contexts.load(Ordering::Relaxed);
            assert_eq!(compressor.deflate(&[b'a'; 511], &mut pool, <[u8]>::len), None);
            assert_eq!(kept(), 0, "what is too short needs none");
            assert!(compressor.deflate(&[b'a'; 512], &mut pool, <[u8]>::len).is_some_and(|len| len < 20));
            assert_eq!(kept() > 250_000, server_takeover);
            drop(compressor);
            assert_eq!(kept(), 0);
        }
    }

    #[test]
    fn a_client_whose_context_was_given_up_reads_what_a_new_one_compresses() {
        let compression = Compression { params: params(true), level: 6, threshold: 0 };
        let shelved = Arc::new(Shelved::default());
        // Room for one.
        let shelf = Arc::new(Shelf::new(400_000, shelved.clone()));
        let mut pool = Pool::default();
        let mut clients =
            [1, 2].map(|owner| (Compressor::new(compression, &shelf, Owner(owner)), Inflater::default(), Some(Window::new(15))));
        let mut lens = Vec::new();
        for round in 0..6 {
            let message = format!("the same words again and again, {round}").into_bytes();
            // The first speaks twice, so that it has its context the second time.
            for client in [0, 0, 1] {
                let (compressor, inflater, window) = &mut clients[client];
                let deflated = compressor.deflate(&message, &mut pool, <[u8]>::to_vec).expect("shorter");
                lens.push(deflated.len());
                inflater.begin(window.take());
                let mut read = Taken::default();
                inflater.inflate(&deflated, &mut [0; 100], &mut read).expect("valid");
                assert_eq!(read.0, message);
                *window = inflater.finish(&read.0).expect("whole");
            }
        }
        assert!(shelved.contexts_given_up.load(Ordering::Relaxed) >= 5 && lens.iter().any(|len| *len < 12), "{lens:?}");
    }

    #[derive(Default)]
    struct Taken(Vec<u8>);

    impl fws_wire::deflate::Sink for Taken {
        fn take(&mut self, piece: &[u8]) -> Result<(), fws_wire::Error> {
            self.0.extend_from_slice(piece);
            Ok(())
        }

        fn taken(&self) -> &[u8] {
            &self.0
        }
    }
}
