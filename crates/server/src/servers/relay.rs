//! What other servers send: carried out on threads of its own, so that the cluster's thread goes on.
//!
//! One thread carries out messages to clients, in the order in which another server has sent them. It waits for nobody. What may take long, or waits for
//! others, is for a few more threads: whoever asks for that waits for the answer, so that its order is kept by that. One more thread fetches what channels
//! have missed, and one asks whether clients have arrived that were given to other servers.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use fws_engine::redis::{Became, Incoming, Member, Recorded};
use fws_hub::command::Kill;
use fws_hub::{ClusterError, Command, CommandError, Reply, Scope};

use super::message::{self, Message};
use super::queue::Queue;
use super::recorder::decode;
use crate::control::protocol::read;
use crate::core::{Caller, Core, Missing};
use crate::log::Trouble;
use crate::os::block_signals;

/// The most bytes of messages that wait for the thread that carries them out in order.
const IN_ORDER: usize = 64 << 20;
/// The most bytes of commands that wait for the other threads.
const ASIDE: usize = 16 << 20;
/// When it is tried again to fetch what is missing.
const AGAIN: Duration = Duration::from_millis(200);
/// Threads for what may take long.
const THREADS: usize = 4;

enum Task {
    Incoming(Incoming),
    /// A message to a channel.
    Recorded(u64, Recorded),
    /// Redis can be reached again: what was recorded meanwhile is to be fetched.
    CatchUp,
    /// What has become of a member of a channel, and when that was heard.
    Attended(Became, Member, Instant),
    /// Other servers have clients with these ids.
    Close(Vec<Box<str>>),
    /// Something that waits for all before it.
    Run(Box<dyn FnOnce() + Send>),
}

/// The threads' entrance.
pub struct Relay {
    core: Weak<Core>,
    ordered: Arc<Queue<Task>>,
    aside: Arc<Queue<Task>>,
    dropped: Arc<AtomicU64>,
    /// Something was dropped that a list makes good for, and the list is not told yet.
    list_waits: Arc<AtomicBool>,
}

impl Relay {
    fn new(core: &Arc<Core>) -> Relay {
        Relay {
            core: Arc::downgrade(core),
            ordered: Arc::new(Queue::new(IN_ORDER)),
            aside: Arc::new(Queue::new(ASIDE)),
            dropped: Arc::new(AtomicU64::new(0)),
            list_waits: Arc::new(AtomicBool::new(false)),
        }
    }

    pub fn start(core: &Arc<Core>) -> io::Result<Relay> {
        let relay = Relay::new(core);
        for number in 0..THREADS {
            let (core, tasks) = (relay.core.clone(), relay.aside.clone());
            spawn(format!("fws-asked-{number}"), move || {
                loop {
                    let task = tasks.take();
                    let Some(core) = core.upgrade() else { return };
                    carry_out(&core, task);
                }
            })?;
        }
        let (weak, tasks, aside, dropped) = (relay.core.clone(), relay.ordered.clone(), relay.aside.clone(), relay.dropped.clone());
        spawn("fws-relay".to_owned(), move || in_order_of_arrival(&weak, &tasks, &aside, &dropped))?;
        let (weak, missing) = (relay.core.clone(), core.missing.clone());
        spawn("fws-fetch".to_owned(), move || fetch(&weak, &missing))?;
        let (weak, underway) = (relay.core.clone(), core.underway.clone());
        let timeout = core.engine.timeout();
        spawn("fws-settle".to_owned(), move || {
            loop {
                underway.wait(timeout);
                let Some(core) = weak.upgrade() else { return };
                core.settle();
            }
        })?;
        Ok(relay)
    }

    /// The same without threads.
    #[cfg(feature = "simulation")]
    pub fn in_steps(core: &Arc<Core>, attend: Box<dyn Fn() -> bool>) -> (Relay, Steps) {
        let relay = Relay::new(core);
        let (core, ordered, aside, dropped) = (relay.core.clone(), relay.ordered.clone(), relay.aside.clone(), relay.dropped.clone());
        (relay, Steps { core, ordered, aside, dropped, attend })
    }

    /// Takes what another server has sent. Does not wait: where too much does, it is dropped and counted.
    pub fn give(&self, incoming: Incoming) {
        let bytes = incoming.payload.len();
        if let Err(Task::Incoming(incoming)) = self.ordered.push(Task::Incoming(incoming), bytes)
            && let Some(core) = self.core.upgrade()
        {
            refuse(&core, &self.dropped, incoming);
        }
    }

    /// Takes a message to a channel. Where too much waits, it is fetched later.
    pub fn recorded(&self, epoch: u64, recorded: Recorded) {
        let bytes = recorded.payload.len();
        if let Err(Task::Recorded(_, recorded)) = self.ordered.push(Task::Recorded(epoch, recorded), bytes)
            && let (Some(core), Some((route, tag, _))) = (self.core.upgrade(), decode(&recorded))
        {
            core.missing.may_be_behind(&route, &tag);
        }
    }

    /// Has what was recorded meanwhile fetched, once all is carried out that came before.
    pub fn catch_up(&self) {
        self.ordered.push_always(Task::CatchUp);
    }

    /// Takes what has become of a member. Where too much waits, clients are told later who is in their channels.
    pub fn attended(&self, became: Became, member: Member) {
        let bytes = member.route.len() + member.tag.len() + member.user.len() + member.info.len();
        if self.ordered.push(Task::Attended(became, member, Instant::now()), bytes).is_err()
            && !self.list_waits.swap(true, Ordering::AcqRel)
        {
            self.list(Duration::ZERO);
        }
    }

    /// Has clients told who is in their channels, after this time, once all is carried out that came before.
    pub fn list(&self, after: Duration) {
        // Who comes from now on is told all that is so by then.
        if after.is_zero() && self.core.upgrade().is_none_or(|core| core.pusher.is_empty()) {
            return self.list_waits.store(false, Ordering::Release);
        }
        let (core, waits) = (self.core.clone(), self.list_waits.clone());
        self.in_order(Box::new(move || {
            // What is dropped from now on asks for another list.
            waits.store(false, Ordering::Release);
            if let Some(core) = core.upgrade() {
                core.pusher.list_again(after);
            }
        }));
    }

    /// Closes clients whose ids others have.
    pub fn close(&self, ids: Vec<Box<str>>) {
        self.aside.push_always(Task::Close(ids));
    }

    /// Runs something behind all that has come until now.
    pub fn in_order(&self, run: Box<dyn FnOnce() + Send>) {
        self.ordered.push_always(Task::Run(run));
    }

    /// What was dropped, as too much waited.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// There is no room for what another server sent: it is dropped, and whoever waits for an answer is told so.
fn refuse(core: &Core, dropped: &AtomicU64, incoming: Incoming) {
    let count = dropped.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(answer) = incoming.answer {
        answer.send(&encode(&Err(ClusterError::Overloaded.into())));
        return;
    }
    let text = "messages that other servers sent to groups were dropped: they came faster than this server could carry them out";
    core.log.burst(Trouble::Cluster, &"dropped".into(), text, || serde_json::Map::from_iter([("dropped_until_now".into(), count.into())]));
}

pub(super) fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name).spawn(move || {
        let _ = block_signals();
        run();
    })?;
    Ok(())
}

fn in_order_of_arrival(core: &Weak<Core>, tasks: &Queue<Task>, aside: &Queue<Task>, dropped: &AtomicU64) {
    loop {
        let task = tasks.take();
        let Some(core) = core.upgrade() else { return };
        next(&core, task, aside, dropped);
    }
}

/// Carries out a task, or has it carried out aside.
fn next(core: &Core, task: Task, aside: &Queue<Task>, dropped: &AtomicU64) {
    let Task::Incoming(incoming) = task else { return carry_out(core, task) };
    if matches!(message::command(&incoming.payload), Some(Command::Send(_))) {
        return hear(core, incoming);
    }
    let bytes = incoming.payload.len();
    if let Err(Task::Incoming(incoming)) = aside.push(Task::Incoming(incoming), bytes) {
        refuse(core, dropped, incoming);
    }
}

/// The threads of a simulated server, step by step. Each says whether there was something to do.
#[cfg(feature = "simulation")]
pub(crate) struct Steps {
    core: Weak<Core>,
    ordered: Arc<Queue<Task>>,
    aside: Arc<Queue<Task>>,
    dropped: Arc<AtomicU64>,
    attend: Box<dyn Fn() -> bool>,
}

#[cfg(feature = "simulation")]
impl Steps {
    pub fn in_order(&self) -> bool {
        let (Some(task), Some(core)) = (self.ordered.try_take(), self.core.upgrade()) else { return false };
        next(&core, task, &self.aside, &self.dropped);
        true
    }

    /// The server has died.
    pub fn drop_next(&self) -> bool {
        self.ordered.try_take().is_some()
    }

    pub fn aside(&self) -> bool {
        let (Some(task), Some(core)) = (self.aside.try_take(), self.core.upgrade()) else { return false };
        carry_out(&core, task);
        true
    }

    /// Fetches a page of what a channel has missed.
    pub fn fetch(&self) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        let Some(name) = core.missing.try_next() else { return false };
        match core.fetch_missed(&name) {
            Ok(more) => {
                if more {
                    core.missing.again(name);
                }
                true
            }
            // Where Redis cannot be reached it is tried again.
            Err(_) => {
                core.missing.again(name);
                false
            }
        }
    }

    /// Asks whether clients have arrived that were given away.
    pub fn settle(&self) -> bool {
        self.core.upgrade().is_some_and(|core| core.settle())
    }

    pub fn attend(&self) -> bool {
        (self.attend)()
    }
}

fn carry_out(core: &Core, task: Task) {
    match task {
        Task::Incoming(incoming) => hear(core, incoming),
        Task::Run(run) => run(),
        Task::Recorded(epoch, recorded) => {
            if let Some((route, tag, sent)) = decode(&recorded) {
                core.recorded(&route, &tag, epoch, &sent);
            }
        }
        Task::CatchUp => core.all_may_be_behind(),
        Task::Attended(became, member, heard) => core.pusher_heard(became, &member, heard),
        Task::Close(ids) => {
            for id in ids {
                let _ = core.execute(&Command::Kill(Kill { id: &id }), Caller::default());
            }
        }
    }
}

/// Fetches what channels have missed, page by page: one channel after the other, so that one that has missed much keeps no other one waiting.
fn fetch(core: &Weak<Core>, missing: &Missing) {
    let (mut failed, mut again) = (Vec::new(), None);
    loop {
        let name = missing.next(again);
        let Some(core) = core.upgrade() else { return };
        if again.is_some_and(|again| Instant::now() >= again) {
            // Where Redis cannot be reached they wait until it can.
            let can = core.can_fetch();
            again = (!can).then(|| Instant::now() + AGAIN);
            failed.extract_if(.., |_| can).for_each(|name| missing.again(name));
        }
        let Some(name) = name else { continue };
        match core.fetch_missed(&name) {
            Ok(true) => missing.again(name),
            Ok(false) => {}
            Err(_) => {
                failed.push(name);
                again = again.or_else(|| Some(Instant::now() + AGAIN));
            }
        }
    }
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
        Ok(Message::MakeWay(id, seen)) => postcard::to_stdvec(&core.yields(id, seen)).expect("bug: an answer that cannot be encoded"),
        Ok(Message::HaveArrived(sent)) => {
            postcard::to_stdvec(&core.have_arrived(from, &sent)).expect("bug: an answer that cannot be encoded")
        }
        Ok(Message::Want(wanted)) => postcard::to_stdvec(&core.hand(from, &wanted)).expect("bug: an answer that cannot be encoded"),
        Err(why) => encode(&Err(ClusterError::Refused(format!("the command cannot be read: {why}").into()).into())),
    };
    if let Some(answer) = answer {
        answer.send(&done);
    }
}

fn carry_out_here(core: &Core, command: &Command<'_>) -> Result<Reply, CommandError> {
    let done = core.execute(command, Caller::default());
    let Scope::Client(id) = command.scope() else { return done };
    if done != Ok(command.gone()) || core.hub.read().knows(id) {
        return done;
    }
    match core.departed.moved(id) {
        Some(moved) => Err(moved.into()),
        None => done,
    }
}

fn encode(answer: &Result<Reply, CommandError>) -> Vec<u8> {
    postcard::to_stdvec(answer).expect("bug: an answer that cannot be encoded")
}

#[cfg(test)]
mod tests;
