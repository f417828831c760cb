//! The engine of a cluster: asks other servers, and carries out what they ask of this one.
//!
//! What concerns one client goes to the server that has it: an id that a server has made names that server, and one that an application has
//! chosen is claimed in Redis. What concerns groups goes to all; a message to a tag or a user to those that have a client with it. The global values
//! are kept in Redis.

mod attendance;
pub(crate) mod message;
mod queue;
mod recorder;
mod relay;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use fws_engine::redis::{Became, Cluster, GONE, Incoming, Member, Node, NodeId, Receiver, Recorded, Settings, tag_topic};
use fws_engine::{Attendance, Broker, Engine, Place, Present, Recorder, Standing, Topic, Watching};
use fws_hub::command::{Add, Delete, Expiry, Get, Increment, SendTo, Set};
use fws_hub::{ClusterError, Command, CommandError, KeyValueError, MAX_KEY, Reply, Scope, Target};
use serde::Deserialize;
use serde_json::json;

use self::attendance::Register;
use self::relay::Relay;
#[cfg(feature = "simulation")]
pub(crate) use self::relay::Steps;
use crate::clock;
use crate::control::protocol::{VERSION, read};
use crate::core::{Caller, Core, Yields};
use crate::log::{Level, Trouble};

/// How long it is until a client that is on its way to another server is asked for once more.
const ON_THE_WAY: Duration = Duration::from_millis(5);

/// Where servers meet. Times are nanoseconds.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// The address of a Redis or Valkey server, with what is secret about it.
    pub address: String,
    /// What keys and channels begin with; absent: `fws`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// How long others are waited for; 0: a second.
    #[serde(default)]
    pub timeout: u64,
    /// After how long a silence a server is dead; 0: 9 seconds.
    #[serde(default)]
    pub lease: u64,
    /// What others are told of this server.
    #[serde(default)]
    pub label: String,
    /// A file with certificates, PEM, of who vouches for Redis; empty: those that the system trusts.
    #[serde(default)]
    pub ca: String,
}

impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl ClusterConfig {
    fn settings(&self) -> io::Result<Settings> {
        let mut settings = Settings::at(&self.address).map_err(io::Error::other)?;
        if let Some(prefix) = &self.prefix {
            settings.prefix.clone_from(prefix);
        }
        if self.timeout > 0 {
            settings.timeout = Duration::from_nanos(self.timeout);
        }
        if self.lease > 0 {
            settings.lease = Duration::from_nanos(self.lease);
        }
        settings.version = u8::try_from(VERSION).unwrap_or(u8::MAX);
        settings.label.clone_from(&self.label);
        if !self.ca.is_empty() {
            let read = std::fs::read(&self.ca);
            settings.ca = Some(read.map_err(|error| io::Error::new(error.kind(), format!("the ca of cluster, {}: {error}", self.ca)))?);
        }
        settings.check().map_err(io::Error::other)?;
        Ok(settings)
    }
}

/// The engine of a cluster.
pub struct Servers {
    cluster: Arc<dyn Broker>,
    hearing: Arc<Hearing>,
    /// Messages to groups that could not be queued for other servers.
    lost: AtomicU64,
    register: OnceLock<Register>,
}

/// What is told of other servers.
struct Hearing {
    core: OnceLock<Weak<Core>>,
    relay: OnceLock<Relay>,
    cluster: Arc<dyn Broker>,
    /// Of what was lost so much has been logged.
    untold: AtomicU64,
}

impl Servers {
    /// Connects, in the background.
    pub fn start(config: &ClusterConfig) -> io::Result<Arc<Servers>> {
        let mut hearing = None;
        let cluster = Cluster::start(config.settings()?, |cluster| {
            let (core, relay, untold) = (OnceLock::new(), OnceLock::new(), AtomicU64::new(0));
            let cluster = Arc::new(cluster.clone());
            hearing.insert(Arc::new(Hearing { core, relay, cluster, untold })).clone()
        })?;
        let hearing = hearing.expect("bug: the cluster has made no receiver");
        Ok(Arc::new(Servers { cluster: Arc::new(cluster), hearing, lost: AtomicU64::new(0), register: OnceLock::new() }))
    }

    /// The engine of a simulated server, and what its broker tells.
    #[cfg(feature = "simulation")]
    pub fn simulated(cluster: Arc<dyn Broker>) -> (Arc<Servers>, Arc<dyn Receiver>) {
        let hearing =
            Arc::new(Hearing { core: OnceLock::new(), relay: OnceLock::new(), cluster: cluster.clone(), untold: AtomicU64::new(0) });
        let servers = Servers { cluster, hearing: hearing.clone(), lost: AtomicU64::new(0), register: OnceLock::new() };
        (Arc::new(servers), hearing)
    }

    /// As [`Servers::serve`], but without threads.
    #[cfg(feature = "simulation")]
    pub fn serve_in_steps(&self, core: &Arc<Core>) -> Steps {
        let _ = self.hearing.core.set(Arc::downgrade(core));
        let (register, attend) = Register::in_steps(core, self.cluster.clone());
        let (relay, steps) = Relay::in_steps(core, attend);
        let _ = self.hearing.relay.set(relay);
        let _ = self.register.set(register);
        steps
    }

    /// Carries out on `core` what others ask.
    pub fn serve(&self, core: &Arc<Core>) -> io::Result<()> {
        let _ = self.hearing.core.set(Arc::downgrade(core));
        let _ = self.hearing.relay.set(Relay::start(core)?);
        let _ = self.register.set(Register::start(core, self.cluster.clone())?);
        Ok(())
    }

    fn core(&self) -> Option<Arc<Core>> {
        self.hearing.core.get()?.upgrade()
    }

    /// Which other server has a client that this one does not know.
    fn owner(&self, id: &str) -> Result<Option<NodeId>, ClusterError> {
        match NodeId::of_client(id) {
            Some(node) if node == self.cluster.node() => Ok(None),
            Some(node) if self.cluster.others().iter().any(|other| other.id == node) => Ok(Some(node)),
            // A name that an application has chosen may look like that, and a server may have come a moment ago.
            Some(_) | None => Ok(self.cluster.holder(id)?.or(NodeId::of_client(id)).filter(|node| *node != self.cluster.node())),
        }
    }

    fn ask_owner(&self, id: &str, command: &Command<'_>) -> Result<Vec<Reply>, CommandError> {
        let Some(core) = self.core() else { return Ok(vec![command.gone()]) };
        let (asked, until) = (message::of(command), clock::now() + self.cluster.timeout());
        let mut moved = core.departed.knows(id);
        // While it is on its way, no server says that it is gone but one where it was.
        let (mut lately, mut hint) = (core.departed.is_on_the_way(id), core.departed.to(id));
        loop {
            let owner = if moved { self.cluster.holder(id)?.or(hint) } else { self.owner(id)? };
            match owner {
                Some(node) if node != self.cluster.node() => match self.cluster.ask(node, &asked)?.map(|answer| decode(&answer)) {
                    Some(Err(CommandError::Cluster(ClusterError::Moved { to, lately: left_now }))) => {
                        (moved, lately, hint) = (true, left_now, to.parse().ok());
                    }
                    Some(answer) => match answer? {
                        gone if lately && gone == command.gone() => {}
                        answer => return Ok(vec![answer]),
                    },
                    // The server is gone, and the client with it.
                    None => return Ok(vec![command.gone()]),
                },
                // It has come here meanwhile.
                _ if core.hub.read().knows(id) => return Ok(vec![core.execute(command, Caller::default())?]),
                // Nobody has claimed its id yet. The server that it has left knows more.
                _ if lately => moved = hint.is_some() || core.departed.knows(id),
                Some(_) | None => {
                    core.departed.forget(id);
                    return Ok(vec![command.gone()]);
                }
            }
            if clock::now() > until {
                return Err(ClusterError::Timeout.into());
            }
            clock::sleep(ON_THE_WAY);
        }
    }

    /// Sends a message to those of a group who are on other servers. Where that is not possible it is counted and logged: this server's
    /// clients get it in any case.
    fn send_to_group(&self, message: &SendTo<'_>, command: &Command<'_>) {
        let sent = message::of(command);
        let topic = match message.to {
            Target::Tag(tag) => Some(topic_name(Topic::Tag(tag))),
            Target::User(user) => Some(topic_name(Topic::User(user))),
            Target::Expression(_) | Target::All | Target::Client(_) => None,
        };
        let told = self.cluster.tell(topic.as_deref(), &sent);
        if let Some(core) = self.core() {
            core.order.told(self.cluster.node(), told.as_ref().ok().copied(), &sent);
        }
        let Err(why) = told else { return };
        self.lost.fetch_add(1, Ordering::Relaxed);
        if let Some(core) = self.core() {
            let text = match why {
                ClusterError::Overloaded => {
                    "a message to a group was sent to this server's clients only: too many wait for Redis to take them to other servers"
                }
                _ => "a message to a group was sent to this server's clients only: the other servers cannot be reached",
            };
            let fields = || serde_json::Map::from_iter([("error".into(), why.to_string().into())]);
            core.log.burst(Trouble::Cluster, &text.into(), text, fields);
        }
    }

    /// Redis is away only where it is told when it is back. Else it was not there for this call, as while a Redis Cluster has no master.
    fn passing(&self, error: ClusterError) -> ClusterError {
        if error == ClusterError::Unavailable && self.cluster.trouble().is_none() { ClusterError::Timeout } else { error }
    }

    fn value(&self, command: &Command<'_>) -> Result<Reply, CommandError> {
        let fits = |key: &[u8]| if key.is_empty() || key.len() > MAX_KEY { Err(KeyValueError::InvalidKey) } else { Ok(()) };
        Ok(match command {
            Command::Set(Set { key, value, expire }) => {
                fits(key)?;
                self.cluster.value_set(key, value, *expire, false)?;
                Reply::Done
            }
            Command::Add(Add { key, value, expire }) => {
                fits(key)?;
                Reply::Flag(self.cluster.value_set(key, value, *expire, true)?)
            }
            Command::Get(Get { key }) => Reply::Value(self.cluster.value_get(key)?.map(Arc::from)),
            Command::Delete(Delete { key }) => Reply::Flag(self.cluster.value_delete(key)?),
            Command::Increment(Increment { key, by }) => {
                fits(key)?;
                Reply::Integer(self.cluster.value_increment(key, *by)??)
            }
            Command::Expiry(Expiry { key }) => Reply::Expiry(self.cluster.value_expiry(key)?),
            other => unreachable!("bug: {other:?} is about no value"),
        })
    }
}

impl Engine for Servers {
    fn place(&self, scope: Scope<'_>) -> Place {
        match scope {
            Scope::Node | Scope::Channel(_) => Place::Here,
            Scope::Clients => Place::Everywhere,
            Scope::Value(_) => Place::Elsewhere,
            Scope::Client(id) => {
                let known = self.core().is_some_and(|core| core.hub.read().knows(id));
                let ours = NodeId::of_client(id) == Some(self.cluster.node());
                let departed = || self.core().is_some_and(|core| core.departed.knows(id));
                if known || (ours && !departed()) { Place::Here } else { Place::Elsewhere }
            }
        }
    }

    fn wait_for_room(&self) {
        self.cluster.wait_for_room();
    }

    fn ask_others(&self, command: &Command<'_>) -> Result<Vec<Reply>, CommandError> {
        match (command, command.scope()) {
            (Command::Send(message), Scope::Clients) => {
                self.send_to_group(message, command);
                Ok(Vec::new())
            }
            (_, Scope::Client(id)) => self.ask_owner(id, command),
            (_, Scope::Value(_)) => Ok(vec![self.value(command)?]),
            (_, Scope::Clients | Scope::Channel(_) | Scope::Node) => {
                self.cluster.ask_all(&message::of(command))?.iter().map(|answer| decode(answer)).collect()
            }
        }
    }

    fn id(&self, random: String) -> String {
        format!("{}.{random}", self.cluster.node())
    }

    fn claim(&self, id: &str) -> Result<bool, CommandError> {
        Ok(self.cluster.claim(id)?)
    }

    fn make_way(&self, id: &str) -> Result<bool, CommandError> {
        let Some(node) = self.cluster.holder(id)?.filter(|node| *node != self.cluster.node()) else { return Ok(true) };
        let mut seen = None;
        // Who is away is asked for twice, and does not go if another client has its id the second time.
        for _ in 0..2 {
            // Without an answer its server is gone, and the id with it.
            let Some(answer) = self.cluster.ask(node, &message::make_way(id, seen))? else { return Ok(true) };
            match message::yields(&answer) {
                Yields::Yes => return Ok(true),
                Yields::No => return Ok(false),
                Yields::Away(now) => seen = Some(now),
            }
        }
        Ok(false)
    }

    fn release(&self, id: &str) {
        self.cluster.release(id);
    }

    fn watch(&self, topic: Topic<'_>) -> Option<Watching> {
        self.cluster.watch(&topic_name(topic))
    }

    fn watching(&self, topic: Topic<'_>) -> Option<Watching> {
        self.cluster.watching(&topic_name(topic))
    }

    fn unwatch(&self, topic: Topic<'_>) {
        self.cluster.unsubscribe(&topic_name(topic));
    }

    fn attend(&self, changes: &mut Vec<Attendance>) {
        if let (Some(register), Some(core)) = (self.register.get(), self.core()) {
            register.take(&core, changes);
        }
    }

    fn wait_attended(&self) {
        if let Some(register) = self.register.get() {
            register.wait(self.cluster.timeout());
        }
    }

    fn present(&self, route: &str, tag: &str) -> Result<Present, ClusterError> {
        self.cluster.present(route, tag).map_err(|error| self.passing(error))
    }

    fn are_present(&self, route: &str, tag: &str, users: &[&str]) -> Result<Vec<bool>, ClusterError> {
        self.cluster.are_present(route, tag, users).map_err(|error| self.passing(error))
    }

    fn listens_since(&self, topic: Topic<'_>) -> Option<Instant> {
        self.cluster.listens_since(&topic_name(topic))
    }

    fn go_on(&self) {
        if let Some(register) = self.register.get() {
            register.go_on();
        }
    }

    fn recorder(&self) -> Option<&dyn Recorder> {
        Some(self)
    }

    fn node(&self) -> Option<NodeId> {
        Some(self.cluster.node())
    }

    fn ask_server(&self, node: NodeId, question: &[u8]) -> Result<Option<Vec<u8>>, CommandError> {
        Ok(self.cluster.ask(node, question)?)
    }

    fn is_alive(&self, node: NodeId) -> bool {
        self.cluster.is_alive(node)
    }

    fn in_order(&self, task: Box<dyn FnOnce() + Send>) {
        if let Some(relay) = self.hearing.relay.get() {
            relay.in_order(task);
        }
    }

    fn told(&self) -> u64 {
        self.cluster.told()
    }

    fn let_go(&self, id: &str) {
        self.cluster.let_go(id);
    }

    fn take_claim(&self, id: &str, from: NodeId) -> bool {
        self.cluster.take_claim(id, from).unwrap_or(true)
    }

    fn timeout(&self) -> Duration {
        self.cluster.timeout()
    }

    fn standing(&self) -> Option<Standing> {
        let mut counts = self.cluster.counts();
        counts.push(("groups_not_told", self.lost.load(Ordering::Relaxed) + self.cluster.untold()));
        counts.push(("dropped", self.hearing.relay.get().map_or(0, Relay::dropped)));
        let others = self.cluster.others().iter().map(|Node { id, label }| (id.to_string(), label.to_string())).collect();
        Some(Standing { node: self.cluster.node().to_string(), others, trouble: self.cluster.trouble(), counts })
    }
}

fn topic_name(topic: Topic<'_>) -> String {
    match topic {
        Topic::Tag(tag) => tag_topic(tag),
        Topic::User(user) => format!("u:{user}"),
    }
}

/// What another server has answered.
fn decode(answer: &[u8]) -> Result<Reply, CommandError> {
    let unreadable =
        |why: String| CommandError::from(ClusterError::Refused(format!("the answer of a server cannot be read: {why}").into()));
    read::<Result<Reply, CommandError>>(answer).map_err(unreadable)?
}

impl Receiver for Hearing {
    fn incoming(&self, incoming: Incoming) {
        // This server's own clients have it already.
        if incoming.from == self.cluster.node() {
            return;
        }
        if let Some(relay) = self.relay.get() {
            relay.give(incoming);
        }
    }

    fn recorded(&self, epoch: u64, recorded: Recorded) {
        if let Some(relay) = self.relay.get() {
            relay.recorded(epoch, recorded);
        }
    }

    fn connected(&self, anew: bool) {
        if let Some(relay) = self.relay.get() {
            relay.catch_up();
            // What was told meanwhile may have been lost. Where Redis has lost what it knew, other servers tell it again first.
            relay.list(if self.cluster.awaits_others() { GONE } else { Duration::ZERO });
        }
        self.log(Level::Info, "the cluster's Redis server is reached", json!({ "anew": anew }));
    }

    fn disconnected(&self, why: &str) {
        self.log(Level::Warn, "the cluster's Redis server cannot be reached: this server works on alone", json!({ "error": why }));
        let untold = self.cluster.untold();
        let lost = untold - self.untold.swap(untold, Ordering::Relaxed);
        if lost > 0 {
            let text = "messages to groups were on their way when Redis stopped: other servers may not have got them";
            self.log(Level::Warn, text, json!({ "messages": lost }));
        }
    }

    fn lost(&self, ids: Vec<Box<str>>) {
        let text = "other servers have clients with the ids of clients of this one, which was believed to be dead: these are closed";
        self.log(Level::Warn, text, json!({ "clients": ids.len() }));
        if let Some(relay) = self.relay.get() {
            relay.close(ids);
        }
    }

    fn attended(&self, became: Became, member: Member) {
        if let Some(relay) = self.relay.get() {
            relay.attended(became, member);
        }
    }

    fn entered(&self, members: Vec<Member>) {
        self.tell(members.into_iter().map(|member| (member, true)));
    }

    fn vacated(&self, members: Vec<Member>) {
        self.tell(members.into_iter().map(|member| (member, false)));
    }

    fn late(&self, come: Vec<Member>, left: Vec<Member>) {
        let Some(core) = self.core.get().and_then(Weak::upgrade) else { return };
        let (come, left) = (come.into_iter().map(|member| (member, true)), left.into_iter().map(|member| (member, false)));
        // Other routes were told as if this server were alone.
        self.tell(left.chain(come).filter(|(member, _)| core.speaks_pusher(&member.route)));
    }
}

impl Hearing {
    /// Tells of members who have joined channels (`true`), or left them, on all servers.
    fn tell(&self, members: impl Iterator<Item = (Member, bool)>) {
        if let Some(core) = self.core.get().and_then(Weak::upgrade) {
            let told =
                |(Member { route, tag, user, info, .. }, joined): (Member, bool)| (joined, route.into(), tag.into(), user.into(), info);
            core.attended(members.map(told));
        }
    }

    fn log(&self, level: Level, message: &str, fields: serde_json::Value) {
        if let Some(core) = self.core.get().and_then(Weak::upgrade) {
            core.log.write(level, message, fields);
        }
    }
}
