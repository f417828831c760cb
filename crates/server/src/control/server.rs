//! The server's side: a thread with tokio on it, a task for each client.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fws_hub::Command;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::description::Project;
use super::place::Access;
use super::protocol::{Answer, Frames, GREETING, Greeting, MAX_COMMAND, read, write};
use super::stand::{Door, Stand, Wish};
use crate::core::{Caller, Core};
use crate::log::{Level, Trouble};
use crate::os::block_signals;
use crate::stats::add;

/// The most clients at a time.
const MAX_CLIENTS: usize = 128;
/// Threads for commands that take long. They end when they have had nothing to do for some seconds.
const THREADS: usize = 4;
/// How much is read at a time.
const READ: usize = 64 << 10;
/// From so many bytes on, answers are written before the next command is carried out.
const UNWRITTEN: usize = 256 << 10;
/// How long a client may take for its greeting.
const GREETED: Duration = Duration::from_secs(5);
/// How often it is looked whether the socket is still there, or can be had by now.
const LOOK: Duration = Duration::from_secs(1);
/// How often the files are made young again: programs that clean /tmp remove what was not touched for days.
const TOUCH: Duration = Duration::from_secs(3600);
/// How long a client may leave a command unfinished or not read its answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where and for whom the control socket is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlConfig {
    /// There is none.
    #[serde(default)]
    pub off: bool,
    /// Its path; absent: one of the server's own, where [`super::Remote`] looks for it.
    #[serde(default)]
    pub path: Option<String>,
    /// Its mode; absent: 0600, or 0660 where there is a group.
    #[serde(default)]
    pub mode: Option<u32>,
    /// Its group, by number.
    #[serde(default)]
    pub group: Option<u32>,
    /// What the server belongs to, by which a script finds it among several.
    #[serde(default)]
    pub project: Project,
}

/// A control socket that is served. Dropped, it is closed and removed.
#[derive(Debug)]
pub struct Control {
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and its owner share: the owner looks, and says another project; the thread keeps it in place.
#[derive(Debug)]
struct State {
    wish: Wish,
    project: Project,
    /// Absent only while it is taken anew.
    stand: Option<Stand>,
}

impl Control {
    /// Begins to serve commands for `core`. The error is a sentence that names the path. Where another server has the path, that is logged,
    /// and the socket is served as soon as the other one is gone.
    pub fn serve(core: Arc<Core>, config: &ControlConfig) -> Result<Control, String> {
        let mode = config.mode.unwrap_or(if config.group.is_some() { 0o660 } else { 0o600 });
        if mode & !0o777 != 0 {
            return Err(format!("mode {mode:o} is not one of a socket: it is 0600, 0660 or 0666"));
        }
        let wish = Wish::new(config.off, config.path.as_deref().map(Path::new), Access { mode, group: config.group });
        let (stand, door) = Stand::take(&wish, &config.project)?;
        if let Some(flaw) = &stand.flaw {
            core.log.write(Level::Warn, "the control socket is found only by who names its path", json!({ "error": flaw }));
        }
        if let Some(why) = stand.waits(&wish) {
            let message = "scripts on the command line cannot reach this server until the other one ends";
            core.log.write(Level::Warn, message, json!({ "error": why }));
        }
        let state = Arc::new(Mutex::new(State { wish, project: config.project.clone(), stand: Some(stand) }));
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        let thread = std::thread::Builder::new()
            .name("fws-control".into())
            .spawn(move || {
                if let Err(why) = run(&core, &shared, door, stopped) {
                    core.log.burst(Trouble::Control, &"".into(), "the control socket is not served", || {
                        serde_json::Map::from_iter([("error".into(), why.to_string().into())])
                    });
                }
            })
            .map_err(|why| format!("no thread for the control socket: {why}"))?;
        Ok(Control { state, stop: Some(stop), thread: Some(thread) })
    }

    /// The path of the socket, if there is one now.
    pub fn path(&self) -> Option<PathBuf> {
        self.state.lock().path()
    }

    /// Tells scripts of another project than before. The socket stays as it is.
    pub fn describe(&self, project: &Project) {
        let mut state = self.state.lock();
        state.project = project.clone();
        if let Some(stand) = &mut state.stand {
            stand.describe(project);
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // Only now: who takes the path next finds nobody who serves it any more.
        drop(self.state.lock().stand.take());
    }
}

impl State {
    fn path(&self) -> Option<PathBuf> {
        self.stand.as_ref().and_then(|stand| stand.path().map(Into::into))
    }

    /// Whether there should be a socket, and another server has its path.
    fn waits(&self) -> bool {
        self.stand.as_ref().is_some_and(|stand| stand.waits(&self.wish).is_some())
    }

    /// What there is to be done about the socket, if anything is.
    fn renew(&mut self) -> Option<Result<Option<Door>, String>> {
        if self.waits() {
            return self.stand.as_mut().map(|stand| stand.open(&self.wish, &self.project));
        }
        if self.stand.as_ref().is_some_and(Stand::is_there) {
            return None;
        }
        // What is left of it goes first: a lock of our own would be in the way.
        self.stand = None;
        Some(Stand::take(&self.wish, &self.project).map(|(stand, door)| {
            self.stand = Some(stand);
            door
        }))
    }
}

fn run(core: &Arc<Core>, state: &Mutex<State>, mut door: Option<Door>, mut stopped: oneshot::Receiver<()>) -> io::Result<()> {
    block_signals()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().max_blocking_threads(THREADS).build()?;
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    runtime.block_on(async {
        loop {
            tokio::select! {
                why = accept(core, door.take(), &places) => return why,
                _ = &mut stopped => return Ok(()),
                opened = opened(core, state) => door = Some(opened),
            }
        }
    })
    // The clients' tasks end with the runtime, between two commands.
}

/// Waits until there is another door than before: files were removed, or the server that had the path has ended.
async fn opened(core: &Core, state: &Mutex<State>) -> Door {
    let (mut touched, mut told) = (Instant::now(), false);
    loop {
        sleep(LOOK).await;
        let mut state = state.lock();
        if touched.elapsed() >= TOUCH {
            touched = Instant::now();
            state.stand.iter().for_each(Stand::touch);
        }
        let waited = state.waits();
        match state.renew() {
            // As it was; still another's; or off.
            None | Some(Ok(None)) => {}
            Some(Ok(Some(door))) => {
                let message = if waited {
                    "the other server has ended: the control socket is served"
                } else {
                    "the control socket was removed: there is a new one"
                };
                core.log.write(Level::Info, message, json!({ "path": state.path() }));
                return door;
            }
            Some(Err(why)) => {
                if !std::mem::replace(&mut told, true) {
                    core.log.write(Level::Warn, "there is no control socket: it cannot be made anew, yet", json!({ "error": why }));
                }
            }
        }
    }
}

/// Accepts clients; for ever, where there is no door.
async fn accept(core: &Arc<Core>, door: Option<Door>, places: &Arc<Semaphore>) -> io::Result<()> {
    let Some(Door { listener, guard }) = door else { return std::future::pending().await };
    let listener = UnixListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: there may be some in a moment.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let place = places.clone().try_acquire_owned();
        let core = core.clone();
        tokio::spawn(async move {
            let mut client = Client { core, stream, frames: Frames::default(), answers: Vec::new() };
            add(&client.core.counters.control_clients, 1);
            let ended = match (guard.examine(&client.stream), &place) {
                (Err(why), _) => Err(Cut::Denied(why)),
                (Ok(()), Ok(_)) => client.serve().await,
                (Ok(()), Err(_)) => Err(Cut::Busy),
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
    #[error("{0}")]
    Denied(String),
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

/// How far the commands that have come are carried out.
enum Progress {
    /// All.
    Done,
    /// So far that the answers should be written.
    Unwritten,
    /// Up to this one, which may take long.
    Broad(Range<usize>),
}

/// Carries out the commands that have come, from `first` on where it was taken already. Those that may take long only where they can be
/// `interrupted`: not on the thread that serves all clients.
fn carry_out(
    core: &Core,
    frames: &mut Frames,
    answers: &mut Vec<u8>,
    mut first: Option<Range<usize>>,
    interrupted: Option<&AtomicBool>,
) -> Result<Progress, Cut> {
    while answers.len() < UNWRITTEN {
        let frame = match first.take() {
            Some(frame) => frame,
            None => match frames.next(MAX_COMMAND).map_err(Cut::TooLong)? {
                Some(frame) => frame,
                None => return Ok(Progress::Done),
            },
        };
        let command: Command<'_> = read(&frames.buffer[frame.clone()]).map_err(Cut::Malformed)?;
        if interrupted.is_none() && core.may_wait(&command) {
            return Ok(Progress::Broad(frame));
        }
        write(answers, &core.ask_as(&command, Caller { interrupted, bell: None }).map_or_else(Answer::Refused, Answer::Reply));
        add(&core.counters.control_commands, 1);
    }
    Ok(Progress::Unwritten)
}

/// A client waits for a command that runs on another thread. When this is dropped, the command ends.
struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One client.
struct Client {
    core: Arc<Core>,
    stream: UnixStream,
    frames: Frames,
    answers: Vec<u8>,
}

impl Client {
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
            let mut progress = carry_out(&self.core, &mut self.frames, &mut self.answers, None, None)?;
            loop {
                progress = match progress {
                    Progress::Done => break,
                    Progress::Unwritten => {
                        self.write().await?;
                        carry_out(&self.core, &mut self.frames, &mut self.answers, None, None)?
                    }
                    Progress::Broad(first) => self.carry_out_aside(first).await?,
                };
            }
            self.frames.compact();
            self.write().await?;
        }
        Ok(())
    }

    /// Carries out the commands that have come on another thread, since one of them may take long: meanwhile the other clients are served.
    /// It ends when the server does.
    async fn carry_out_aside(&mut self, first: Range<usize>) -> Result<Progress, Cut> {
        let (core, ended) = (self.core.clone(), Arc::new(AtomicBool::new(false)));
        let guard = Ended(ended.clone());
        // Lent for the time, as a task on another thread cannot borrow.
        let (mut frames, mut answers) = (std::mem::take(&mut self.frames), std::mem::take(&mut self.answers));
        let carried_out = spawn_blocking(move || {
            let progress = carry_out(&core, &mut frames, &mut answers, Some(first), Some(&ended));
            (frames, answers, progress)
        });
        let (frames, answers, progress) = carried_out.await.map_err(io::Error::other)?;
        drop(guard);
        (self.frames, self.answers) = (frames, answers);
        progress
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
            Cut::Busy | Cut::Denied(_) => Some(Greeting::own().encode().to_vec()),
            Cut::TooLong(_) | Cut::Malformed(_) | Cut::Unfinished => Some(std::mem::take(&mut self.answers)),
        };
        add(&self.core.counters.control_clients_cut, 1);
        self.core.log.burst(Trouble::Control, &"".into(), "a client of the control socket was cut off", || {
            serde_json::Map::from_iter([("reason".into(), cut.to_string().into())])
        });
        if let Some(mut goodbye) = goodbye {
            let denied = matches!(cut, Cut::Denied(_));
            write(&mut goodbye, &if denied { Answer::Denied(cut.to_string()) } else { Answer::Goodbye(cut.to_string()) });
            let _ = timeout(GREETED, self.stream.write_all(&goodbye)).await;
        }
    }
}
