//! Connections without a descriptor: TLS, HTTP/2 and HTTP/3 streams, whose bytes the host carries.
//!
//! A pipe stands where a socket's buffers in the kernel would be: two bounded queues of bytes, one each way. The host *feeds* what
//! arrived and *takes* what is to be sent; the shard reads and writes it like a socket. Neither side waits for the other: a queue that
//! is full is told about when it has room again, the host by the list of dirty pipes and its flag, the shard by an operation.
//!
//! Locks: a pipe's own is taken last, below the shard's and the registry's, and held for a copy.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use fws_hub::Key;
use hashbrown::DefaultHashBuilder;
use parking_lot::Mutex;

use crate::notifier::Notifier;
use crate::quota::Seat;

/// The most bytes that wait in a pipe, each way. As of a socket, they come on top of what `max_outbox` allows.
const ROOM: usize = 64 * 1024;

/// A pipe as the host names it. Numbers begin at 1, and none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PipeId(pub u64);

/// What the host has to do about a pipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// There are bytes to take.
    pub output: bool,
    /// There is room again for bytes that were not consumed.
    pub resume: bool,
    /// Nothing follows the bytes that can be taken now: the sending side is to be closed behind them.
    pub finished: bool,
    /// The connection is over: it is to be closed when these bytes are gone, or soon.
    pub over: bool,
}

/// What the shard is to be told by whoever changed a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeReady {
    pub key: Key,
    pub readable: bool,
    pub writable: bool,
}

/// One pipe.
#[derive(Debug)]
pub struct Pipe {
    id: PipeId,
    pub key: Key,
    dirty: Arc<Dirty>,
    /// Guards both queues; held for a copy.
    state: Mutex<State>,
    /// Its connection's, which is free when the host and the shard have both dropped the pipe.
    _seat: Seat,
}

#[derive(Debug, Default)]
struct State {
    input: VecDeque<u8>,
    /// The host will feed no more.
    ended: bool,
    /// The host will not take any more either.
    freed: bool,
    /// The host has bytes that did not fit.
    refused: bool,
    output: VecDeque<u8>,
    /// The shard has bytes that did not fit.
    full: bool,
    finished: bool,
    over: bool,
    /// To be told once: there is room for what was refused.
    resume: bool,
    /// In the list of dirty pipes.
    listed: bool,
    /// The host is in a turn of its own with it, and is told what is new at the end of that.
    in_turn: bool,
}

/// The pipes that the host has to look at, each once.
#[derive(Debug)]
pub struct Dirty {
    ids: Mutex<VecDeque<PipeId>>,
    flag: Notifier,
}

impl Pipe {
    /// Takes what the client sent. Returns how much was taken: less than all means that the rest is to be fed again after
    /// [`News::resume`].
    pub fn feed(&self, bytes: &[u8]) -> (usize, Option<PipeReady>) {
        let mut state = self.state.lock();
        if state.ended || state.over {
            // Nobody will look at it: it is thrown away, as the kernel does with what arrives behind a close.
            return (bytes.len(), None);
        }
        let was_empty = state.input.is_empty();
        let count = bytes.len().min(ROOM - state.input.len());
        state.input.extend(&bytes[..count]);
        if count < bytes.len() {
            state.refused = true;
            state.resume = false;
        }
        (count, (was_empty && count > 0).then_some(PipeReady { key: self.key, readable: true, writable: false }))
    }

    /// Nothing more will be fed.
    pub fn end(&self) -> Option<PipeReady> {
        let mut state = self.state.lock();
        let first = !std::mem::replace(&mut state.ended, true);
        first.then_some(PipeReady { key: self.key, readable: true, writable: false })
    }

    /// The host is through with it. The shard must be told in either direction: while what waits to be written fills the outbox, it
    /// does not read, and would not see the end.
    pub fn free(&self) -> PipeReady {
        let mut state = self.state.lock();
        state.ended = true;
        state.freed = true;
        state.output = VecDeque::new();
        PipeReady { key: self.key, readable: true, writable: true }
    }

    /// Moves what is to be sent into `buffer`; returns how much, and what else there is to know.
    pub fn take(&self, buffer: &mut [u8]) -> (usize, News, Option<PipeReady>) {
        let mut state = self.state.lock();
        let count = move_out(&mut state.output, buffer);
        let room = std::mem::take(&mut state.full);
        let news = state.news();
        (count, news, room.then_some(PipeReady { key: self.key, readable: false, writable: true }))
    }

    /// As of a socket: `Ok(0)` is the end, [`io::ErrorKind::WouldBlock`] that nothing is there.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        let count = move_out(&mut state.input, buffer);
        if std::mem::take(&mut state.refused) {
            state.resume = true;
            self.list(&mut state);
        }
        if count == 0 && !state.ended { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    /// Whether [`Pipe::read`] would return something, the end included.
    pub fn is_readable(&self) -> bool {
        let state = self.state.lock();
        !state.input.is_empty() || state.ended
    }

    /// As of a socket: [`io::ErrorKind::WouldBlock`] where it is full, [`io::ErrorKind::BrokenPipe`] where nobody is there to take it.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.freed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut written = 0;
        for slice in slices {
            let count = slice.len().min(ROOM - state.output.len());
            state.output.extend(&slice[..count]);
            written += count;
            if count < slice.len() {
                break;
            }
        }
        if written == 0 {
            state.full = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.list(&mut state);
        Ok(written)
    }

    /// Nothing more will be written.
    pub fn finish(&self) {
        let mut state = self.state.lock();
        state.finished = true;
        self.list(&mut state);
    }

    /// The shard is through with it. What was written can still be taken.
    pub fn finish_all(&self) {
        let mut state = self.state.lock();
        state.finished = true;
        state.over = true;
        state.input = VecDeque::new();
        state.resume |= std::mem::take(&mut state.refused);
        self.list(&mut state);
    }

    pub fn key(&self) -> Key {
        self.key
    }

    pub fn id(&self) -> PipeId {
        self.id
    }

    /// The host's thread begins a turn. `false`: there are bytes that come before those it has.
    pub fn begin_turn(&self) -> bool {
        let mut state = self.state.lock();
        state.in_turn = state.input.is_empty() && !state.ended;
        state.in_turn
    }

    pub fn end_turn(&self) -> News {
        let mut state = self.state.lock();
        state.in_turn = false;
        state.news()
    }

    fn list(&self, state: &mut State) {
        if state.in_turn {
            return;
        }
        if !std::mem::replace(&mut state.listed, true) {
            self.dirty.ids.lock().push_back(self.id);
            self.dirty.flag.raise();
        }
    }
}

impl State {
    fn news(&self) -> News {
        News { output: !self.output.is_empty(), resume: self.resume, finished: self.finished, over: self.over }
    }
}

/// Moves bytes from the front of a queue; an empty queue keeps no buffer.
fn move_out(queue: &mut VecDeque<u8>, buffer: &mut [u8]) -> usize {
    let count = queue.len().min(buffer.len());
    let (front, back) = queue.as_slices();
    let first = count.min(front.len());
    buffer[..first].copy_from_slice(&front[..first]);
    buffer[first..count].copy_from_slice(&back[..count - first]);
    queue.drain(..count);
    if queue.is_empty() && queue.capacity() > 0 {
        *queue = VecDeque::new();
    }
    count
}

/// All pipes.
#[derive(Debug)]
pub struct Pipes {
    open: DashMap<PipeId, Arc<Pipe>, DefaultHashBuilder>,
    /// The number of the last one.
    last: AtomicU64,
    dirty: Arc<Dirty>,
}

impl Pipes {
    pub fn new() -> io::Result<Pipes> {
        let dirty = Arc::new(Dirty { ids: Mutex::default(), flag: Notifier::new()? });
        Ok(Pipes { open: DashMap::default(), last: AtomicU64::new(0), dirty })
    }

    /// A new pipe for the connection of a key.
    pub fn open(&self, key: Key, seat: Seat) -> Arc<Pipe> {
        let id = PipeId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let pipe = Arc::new(Pipe { id, key, dirty: self.dirty.clone(), state: Mutex::default(), _seat: seat });
        self.open.insert(id, pipe.clone());
        pipe
    }

    pub fn get(&self, id: PipeId) -> Option<Arc<Pipe>> {
        self.open.get(&id).map(|pipe| pipe.clone())
    }

    /// Forgets a pipe: its id is stale from then on.
    pub fn forget(&self, id: PipeId) -> Option<Arc<Pipe>> {
        self.open.remove(&id).map(|(_, pipe)| pipe)
    }

    /// A pipe that the host has to look at, with what is new about it.
    pub fn next_dirty(&self) -> Option<(PipeId, News)> {
        loop {
            let id = self.dirty.ids.lock().pop_front()?;
            // The host may be through with it.
            let Some(pipe) = self.get(id) else { continue };
            let mut state = pipe.state.lock();
            state.listed = false;
            let news = state.news();
            state.resume = false;
            return Some((id, news));
        }
    }

    /// What becomes readable when pipes are dirty.
    pub fn flag(&self) -> &Notifier {
        &self.dirty.flag
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.len()
    }
}
