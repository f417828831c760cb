//! The server's side: a thread with tokio on it, a task for each client.

use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fws_hub::Command;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::location::Location;
use super::place::Place;
use super::protocol::{Answer, Frames, GREETING, Greeting, MAX_COMMAND, read, write};
use crate::core::Core;
use crate::log::Trouble;
use crate::os::block_signals;
use crate::stats::add;

/// The most clients at a time.
const MAX_CLIENTS: usize = 128;
/// How much is read at a time.
const READ: usize = 64 << 10;
/// From so many bytes on, answers are written before the next command is carried out.
const UNWRITTEN: usize = 256 << 10;
/// How long a client may take for its greeting.
const GREETED: Duration = Duration::from_secs(5);
/// How long a client may leave a command unfinished or not read its answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where and for whom the control socket is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlConfig {
    /// Its path; absent: see [`Location::find`].
    #[serde(default)]
    pub path: Option<String>,
    /// Its mode; absent: 0600, or 0660 where there is a group.
    #[serde(default)]
    pub mode: Option<u32>,
    /// Its group, by number.
    #[serde(default)]
    pub group: Option<u32>,
}

/// A control socket that is served. Dropped, it is closed and removed.
#[derive(Debug)]
pub struct Control {
    location: Location,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Behind the thread in the order of dropping: the lock is given back when nobody serves any more.
    _place: Place,
}

impl Control {
    /// Begins to serve commands for `core`. The error is a sentence that names the path.
    pub fn serve(core: Arc<Core>, config: &ControlConfig) -> Result<Control, String> {
        let location = config.path.as_ref().map_or_else(Location::find, |path| Location::configured(Path::new(path)));
        let mode = config.mode.unwrap_or(if config.group.is_some() { 0o660 } else { 0o600 });
        if mode & !0o777 != 0 {
            return Err(format!("mode {mode:o} is not one of a socket: it is 0600, 0660 or 0666"));
        }
        let (place, listener) = Place::take(&location, mode, config.group)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("fws-control".into())
            .spawn(move || {
                if let Err(why) = run(&core, listener, stopped) {
                    core.log.burst(Trouble::Control, &"".into(), "the control socket is not served", || {
                        serde_json::Map::from_iter([("error".into(), why.to_string().into())])
                    });
                }
            })
            .map_err(|why| format!("no thread for the control socket: {why}"))?;
        Ok(Control { location, stop: Some(stop), thread: Some(thread), _place: place })
    }

    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.location.path
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(core: &Arc<Core>, listener: StdListener, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    block_signals()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let listener = UnixListener::from_std(listener)?;
        tokio::select! {
            () = accept(core, &listener) => {}
            _ = stopped => {}
        }
        Ok(())
    })
    // The clients' tasks end with the runtime, between two commands.
}

async fn accept(core: &Arc<Core>, listener: &UnixListener) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: there may be some in a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let place = places.clone().try_acquire_owned();
        let core = core.clone();
        tokio::spawn(async move {
            let mut client = Client { core: &core, stream, frames: Frames::default(), answers: Vec::new() };
            add(&core.counters.control_clients, 1);
            let ended = match place {
                Ok(_) => client.serve().await,
                Err(_) => Err(Cut::Busy),
            };
            if let Err(cut) = ended {
                client.cut(&cut).await;
            }
            drop(place);
        });
    }
}

/// Why a client's connection was ended by the server.
#[derive(Debug, thiserror::Error)]
enum Cut {
    /// It ended it itself.
    #[error("{0}")]
    Gone(#[from] io::Error),
    #[error("the server serves as many control clients as it may ({MAX_CLIENTS}): try again later")]
    Busy,
    #[error("it did not greet as a client of this control socket does")]
    Stranger,
    #[error("{0}")]
    Version(String),
    #[error("a command has at most {MAX_COMMAND} bytes, not {0}")]
    TooLong(usize),
    #[error("a command cannot be decoded: {0}")]
    Malformed(String),
    #[error("it has left a command unfinished for {} seconds", PATIENCE.as_secs())]
    Unfinished,
    #[error("it has not read its answers for {} seconds", PATIENCE.as_secs())]
    Unread,
}

/// One client.
struct Client<'a> {
    core: &'a Core,
    stream: UnixStream,
    frames: Frames,
    answers: Vec<u8>,
}

impl Client<'_> {
    /// Serves the client until it goes.
    async fn serve(&mut self) -> Result<(), Cut> {
        let own = Greeting::own();
        self.stream.write_all(&own.encode()).await?;
        let mut greeting = [0; GREETING];
        timeout(GREETED, self.stream.read_exact(&mut greeting)).await.map_err(|_| Cut::Stranger)??;
        if let Some(mismatch) = own.mismatch(&Greeting::decode(&greeting).ok_or(Cut::Stranger)?) {
            return Err(Cut::Version(mismatch));
        }
        while self.receive().await? {
            while let Some(frame) = self.frames.next(MAX_COMMAND).map_err(Cut::TooLong)? {
                let command: Command<'_> = read(&self.frames.buffer[frame]).map_err(Cut::Malformed)?;
                let answer = self.core.execute(&command).map_or_else(Answer::Refused, Answer::Reply);
                write(&mut self.answers, &answer);
                add(&self.core.counters.control_commands, 1);
                if self.answers.len() >= UNWRITTEN {
                    self.write().await?;
                }
            }
            self.frames.compact();
            self.write().await?;
        }
        Ok(())
    }

    /// Reads what has come; false: the client has ended. Waits without a buffer: most clients are idle.
    async fn receive(&mut self) -> Result<bool, Cut> {
        if self.frames.buffer.is_empty() {
            self.stream.readable().await?;
        }
        // The buffer grows as bytes come, never by the length that a client announces.
        self.frames.buffer.reserve(READ);
        let n = timeout(PATIENCE, self.stream.read_buf(&mut self.frames.buffer)).await.map_err(|_| Cut::Unfinished)??;
        Ok(n > 0)
    }

    async fn write(&mut self) -> Result<(), Cut> {
        let mut rest = &self.answers[..];
        while !rest.is_empty() {
            let n = timeout(PATIENCE, self.stream.write(rest)).await.map_err(|_| Cut::Unread)??;
            rest = &rest[n..];
        }
        self.answers.clear();
        self.answers.shrink_to(UNWRITTEN);
        Ok(())
    }

    /// Ends the connection for a reason, which the client is told where it can be, and the log.
    async fn cut(&mut self, cut: &Cut) {
        let goodbye = match cut {
            Cut::Gone(_) => return,
            // Another version knows from our greeting, and may not understand more; the others do not listen.
            Cut::Version(_) | Cut::Stranger | Cut::Unread => None,
            Cut::Busy => Some(Greeting::own().encode().to_vec()),
            Cut::TooLong(_) | Cut::Malformed(_) | Cut::Unfinished => Some(std::mem::take(&mut self.answers)),
        };
        add(&self.core.counters.control_clients_cut, 1);
        self.core.log.burst(Trouble::Control, &"".into(), "a client of the control socket was cut off", || {
            serde_json::Map::from_iter([("reason".into(), cut.to_string().into())])
        });
        if let Some(mut goodbye) = goodbye {
            write(&mut goodbye, &Answer::Goodbye(cut.to_string()));
            let _ = timeout(GREETED, self.stream.write_all(&goodbye)).await;
        }
    }
}
