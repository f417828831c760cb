//! What other servers send: carried out on threads of its own, so that the cluster's thread goes on.
//!
//! One thread carries out messages to clients, in the order in which another server has sent them. What may take long, or waits for others, is
//! for a few more threads: whoever asks for that waits for the answer, so that its order is kept by that.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

use fws_engine::redis::{Incoming, Recorded};
use fws_hub::command::Kill;
use fws_hub::{ClusterError, Command, CommandError, Reply, Scope};
use parking_lot::Mutex;

use super::message::{self, Message};
use super::recorder::decode;
use crate::control::protocol::read;
use crate::core::{Caller, Core};
use crate::os::block_signals;

/// The most that waits for a thread.
const WAITING: usize = 16_384;
/// When it is tried again to fetch what is missing.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(200);
/// Threads for what may take long.
const THREADS: usize = 4;

enum Task {
    Incoming(Incoming),
    /// A message to a channel.
    Recorded(u64, Recorded),
    /// Redis can be reached again.
    CatchUp,
    /// Other servers have clients with these ids.
    Close(Vec<Box<str>>),
    /// Something that waits for all before it.
    Run(Box<dyn FnOnce() + Send>),
}

/// The threads' entrance.
pub struct Relay {
    ordered: SyncSender<Task>,
    dropped: Arc<AtomicU64>,
}

impl Relay {
    pub fn start(core: &Arc<Core>) -> io::Result<Relay> {
        let dropped = Arc::new(AtomicU64::new(0));
        let (aside, tasks) = sync_channel(WAITING);
        let tasks = Arc::new(Mutex::new(tasks));
        for number in 0..THREADS {
            let (core, tasks) = (Arc::downgrade(core), tasks.clone());
            spawn(format!("fws-asked-{number}"), move || {
                loop {
                    let task = tasks.lock().recv();
                    let (Ok(task), Some(core)) = (task, core.upgrade()) else { return };
                    let mut task = carry_out(&core, task);
                    while let Some(next) = task {
                        std::thread::sleep(AGAIN);
                        task = carry_out(&core, next);
                    }
                }
            })?;
        }
        let (ordered, in_order) = sync_channel(WAITING);
        let (core, lost) = (Arc::downgrade(core), dropped.clone());
        spawn("fws-relay".to_owned(), move || in_order_of_arrival(&core, &in_order, &aside, &lost))?;
        Ok(Relay { ordered, dropped })
    }

    /// The same without threads.
    #[cfg(feature = "simulation")]
    pub fn in_steps(core: &Arc<Core>, attend: Box<dyn Fn() -> bool>) -> (Relay, Steps) {
        let dropped = Arc::new(AtomicU64::new(0));
        let ((ordered, tasks), (entrance, aside)) = (sync_channel(1_000), sync_channel(1_000));
        let steps = Steps { core: Arc::downgrade(core), ordered: tasks, entrance, aside, dropped: dropped.clone(), attend };
        (Relay { ordered, dropped }, steps)
    }

    /// Takes what another server has sent. Does not wait: where too much does, it is dropped and counted.
    pub fn give(&self, incoming: Incoming) {
        self.push(Task::Incoming(incoming));
    }

    /// Takes a message to a channel.
    pub fn recorded(&self, epoch: u64, recorded: Recorded) {
        self.push(Task::Recorded(epoch, recorded));
    }

    /// Has what was recorded meanwhile fetched.
    pub fn catch_up(&self) {
        self.push(Task::CatchUp);
    }

    /// Closes clients whose ids others have.
    pub fn close(&self, ids: Vec<Box<str>>) {
        self.push(Task::Close(ids));
    }

    /// Runs something behind all that has come until now. It waits where too much does.
    pub fn in_order(&self, run: Box<dyn FnOnce() + Send>) {
        let _ = self.ordered.send(Task::Run(run));
    }

    fn push(&self, task: Task) {
        if self.ordered.try_send(task).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was dropped, as too much waited.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

pub(super) fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name).spawn(move || {
        let _ = block_signals();
        run();
    })?;
    Ok(())
}

fn in_order_of_arrival(core: &Weak<Core>, tasks: &Receiver<Task>, aside: &SyncSender<Task>, dropped: &AtomicU64) {
    while let (Ok(task), Some(core)) = (tasks.recv(), core.upgrade()) {
        next(&core, task, aside, dropped);
    }
}

/// Carries out a task, or has it carried out aside.
fn next(core: &Core, task: Task, aside: &SyncSender<Task>, dropped: &AtomicU64) {
    let quick = match &task {
        Task::Close(_) | Task::CatchUp => false,
        Task::Recorded(..) | Task::Run(_) => true,
        Task::Incoming(incoming) => matches!(message::command(&incoming.payload), Some(Command::Send(_))),
    };
    let task = if quick { carry_out(core, task) } else { Some(task) };
    let Some(task) = task else { return };
    if let Err(full) = aside.try_send(task) {
        dropped.fetch_add(1, Ordering::Relaxed);
        let (std::sync::mpsc::TrySendError::Full(task) | std::sync::mpsc::TrySendError::Disconnected(task)) = full;
        if let Task::Incoming(Incoming { answer: Some(answer), .. }) = task {
            answer.send(&encode(&Err(ClusterError::Overloaded.into())));
        }
    }
}

/// The threads of a simulated server, step by step. Each says whether there was something to do.
#[cfg(feature = "simulation")]
pub(crate) struct Steps {
    core: Weak<Core>,
    ordered: Receiver<Task>,
    entrance: SyncSender<Task>,
    aside: Receiver<Task>,
    dropped: Arc<AtomicU64>,
    attend: Box<dyn Fn() -> bool>,
}

#[cfg(feature = "simulation")]
impl Steps {
    pub fn in_order(&self) -> bool {
        let (Ok(task), Some(core)) = (self.ordered.try_recv(), self.core.upgrade()) else { return false };
        next(&core, task, &self.entrance, &self.dropped);
        true
    }

    pub fn aside(&self) -> bool {
        let (Ok(task), Some(core)) = (self.aside.try_recv(), self.core.upgrade()) else { return false };
        if let Some(again) = carry_out(&core, task) {
            let _ = self.entrance.try_send(again);
        }
        true
    }

    pub fn attend(&self) -> bool {
        (self.attend)()
    }
}

/// Carries out a task; what is to be done after it.
fn carry_out(core: &Core, task: Task) -> Option<Task> {
    match task {
        Task::Incoming(incoming) => hear(core, incoming),
        Task::Run(run) => run(),
        Task::Recorded(epoch, recorded) => {
            let done = decode(recorded).is_none_or(|(route, tag, sent)| core.recorded(&route, &tag, epoch, &sent));
            return if done { None } else { Some(Task::CatchUp) };
        }
        Task::CatchUp => {
            // Where Redis cannot be reached it is done once that is so again.
            let done = core.catch_up_channels() || core.engine.standing().is_none_or(|standing| standing.trouble.is_some());
            if !done {
                return Some(Task::CatchUp);
            }
        }
        Task::Close(ids) => {
            for id in ids {
                let _ = core.execute(&Command::Kill(Kill { id: &id }), Caller::default());
            }
        }
    }
    None
}

/// Does what another server wants.
fn hear(core: &Core, incoming: Incoming) {
    let Incoming { from, payload, number, answer } = incoming;
    let done = match read::<Message<'_>>(&payload) {
        Ok(Message::Command(command)) => {
            // Other commands may wait for Redis, and clients that change their server would wait with them.
            let _order = matches!(command, Command::Send(_)).then(|| core.order.carry_out());
            let done = carry_out_here(core, &command);
            if number > 0 {
                core.order.heard(from, number, &payload);
            }
            encode(&done)
        }
        Ok(Message::Want(wanted)) => postcard::to_stdvec(&core.hand(from, &wanted)).expect("bug: an answer that cannot be encoded"),
        Err(why) => encode(&Err(ClusterError::Refused(format!("the command cannot be read: {why}").into()).into())),
    };
    if let Some(answer) = answer {
        answer.send(&done);
    }
}

fn carry_out_here(core: &Core, command: &Command<'_>) -> Result<Reply, CommandError> {
    if let Scope::Client(id) = command.scope()
        && !core.hub.read().knows(id)
        && core.departed.knows(id)
    {
        return Err(ClusterError::Moved.into());
    }
    core.execute(command, Caller::default())
}

fn encode(answer: &Result<Reply, CommandError>) -> Vec<u8> {
    postcard::to_stdvec(answer).expect("bug: an answer that cannot be encoded")
}
