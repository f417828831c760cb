//! A line to a Redis server that can be slow, held up, or cut.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// What a line does with what it carries.
#[derive(Default)]
struct State {
    /// Bytes a second of each connection's answers; 0: as fast as may be.
    rate: usize,
    /// Answers are held up, except those of subscriptions.
    answers_wait: bool,
    /// Nothing at all is carried.
    all_waits: bool,
    cut: bool,
    connections: Vec<UnixStream>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The line: a socket in front of the one of Redis.
pub struct Line {
    pub socket: PathBuf,
    shared: Arc<Shared>,
}

impl Line {
    pub fn new(folder: &Path, name: &str) -> Line {
        let (socket, redis) = (folder.join(name), folder.join("s"));
        let listener = UnixListener::bind(&socket).expect("a socket");
        let shared = Arc::new(Shared::default());
        let state = shared.clone();
        std::thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let mut locked = state.state.lock();
                let Some(there) = (!locked.cut).then(|| UnixStream::connect(&redis).ok()).flatten() else { continue };
                let subscribes = Arc::new(Mutex::new(false));
                for (from, to, answers) in [(&here, &there, false), (&there, &here, true)] {
                    let (from, to) = (from.try_clone().expect("a descriptor"), to.try_clone().expect("a descriptor"));
                    let (shared, subscribes) = (state.clone(), subscribes.clone());
                    std::thread::spawn(move || shared.carry(from, to, answers, &subscribes));
                }
                locked.connections.extend([here, there]);
            }
        });
        Line { socket, shared }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.state.lock());
        self.shared.changed.notify_all();
    }

    pub fn set_rate(&self, rate: usize) {
        self.change(|state| state.rate = rate);
    }

    pub fn hold_answers(&self, hold: bool) {
        self.change(|state| state.answers_wait = hold);
    }

    pub fn hold_all(&self, hold: bool) {
        self.change(|state| state.all_waits = hold);
    }

    /// Cuts all connections, and takes no others.
    pub fn cut(&self) {
        self.change(|state| {
            state.cut = true;
            state.connections.drain(..).for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
        });
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.change(|state| state.cut = false);
    }
}

impl Shared {
    fn carry(&self, mut from: UnixStream, mut to: UnixStream, answers: bool, subscribes: &Mutex<bool>) {
        let mut buffer = [0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            if !answers && bytes.windows(9).any(|word| word.eq_ignore_ascii_case(b"SUBSCRIBE")) {
                *subscribes.lock() = true;
            }
            let rate = {
                let mut state = self.state.lock();
                while !state.cut && (state.all_waits || state.answers_wait && answers && !*subscribes.lock()) {
                    self.changed.wait(&mut state);
                }
                state.rate
            };
            if answers && rate > 0 {
                // This is what makes it slow.
                std::thread::sleep(Duration::from_secs_f64(length as f64 / rate as f64));
            }
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
