//! The front door for commands, and carrying them out on this server's clients.

use std::sync::Arc;

use fws_engine::{Place, Topic};
use fws_hub::command::{Close, DisconnectUser, Ping, Rename, SendTo, Tag};
use fws_hub::{Access, Client, Command, CommandError, Hub, KeyValue, Renamed, Reply, Scope, Steps, Target, TimerError, Timers};

use super::patience::Patience;
use super::{Caller, Core, Post};
use crate::conn::Conn;
use crate::shard::Op;

impl Access<Arc<Conn>> for Core {
    fn with<R>(&self, f: impl FnOnce(&Hub<Arc<Conn>>, &mut Steps) -> R) -> R {
        f(&self.hub.read(), &mut Steps::default())
    }
}

impl Core {
    /// The front door: every command of every door comes here. It is carried out on this server, on others, or on all, as the engine
    /// says; the calling thread waits for the others. See [`Command`] for what each command answers.
    ///
    /// Call it on any thread but a shard's, with no lock of the core held.
    pub fn ask(&self, command: &Command<'_>) -> Result<Reply, CommandError> {
        self.ask_as(command, Caller::default())
    }

    /// [`Core::ask`] for a caller of whom more is known.
    pub fn ask_as(&self, command: &Command<'_>, caller: Caller<'_>) -> Result<Reply, CommandError> {
        if let Command::Send(message) = command
            && let Some(recorder) = self.engine.recorder()
            && let Some(sent) = self.send_recorded(recorder, message, caller)?
        {
            return Ok(sent);
        }
        let place = self.engine.place(command.scope());
        // Here, since nobody waits for others once the order is locked.
        if place == Place::Everywhere && matches!(command, Command::Send(_)) {
            self.engine.wait_for_room();
        }
        // No client changes its server in the middle of a message. While others are asked it may.
        let at_once = matches!(command, Command::Send(_)) && place != Place::Elsewhere && self.is_clustered();
        let order = at_once.then(|| self.order.carry_out());
        match place {
            Place::Here => self.execute_here(command, caller, order),
            Place::Elsewhere => {
                let answers = self.engine.ask_others(command)?;
                Ok(answers.into_iter().next().unwrap_or(Reply::Gone))
            }
            Place::Everywhere => {
                let here = self.execute(command, caller)?;
                Ok(command.join(here, self.engine.ask_others(command)?))
            }
        }
    }

    /// Carries out a command about what is here, as far as is known. A client may leave at this moment.
    fn execute_here(&self, command: &Command<'_>, caller: Caller<'_>, order: Option<impl Drop>) -> Result<Reply, CommandError> {
        let done = self.execute(command, caller);
        // Nobody waits for others while this is locked.
        drop(order);
        let Scope::Client(id) = command.scope() else { return done };
        if done != Ok(command.gone()) || !self.is_clustered() || !self.departed.knows(id) {
            return done;
        }
        let answers = self.engine.ask_others(command)?;
        Ok(answers.into_iter().next().unwrap_or(Reply::Gone))
    }

    /// Whether there may be other servers.
    pub(super) fn is_clustered(&self) -> bool {
        self.engine.node().is_some()
    }

    /// Whether a command may take long, as it waits for other servers or looks at many clients, tags or values.
    pub(crate) fn may_wait(&self, command: &Command<'_>) -> bool {
        let scope = command.scope();
        match self.engine.place(scope) {
            Place::Elsewhere | Place::Everywhere => true,
            Place::Here => match scope {
                // A channel is locked while a message to it is being sent.
                Scope::Clients | Scope::Channel(_) => true,
                Scope::Client(_) => matches!(command, Command::Tag(Tag { since: Some(_), .. }) | Command::Untag(_) | Command::ClearTags(_)),
                Scope::Node => matches!(command, Command::Publish(_)),
                Scope::Value(_) => false,
            },
        }
    }

    /// Carries out a command on what this server has.
    pub(crate) fn execute(&self, command: &Command<'_>, caller: Caller<'_>) -> Result<Reply, CommandError> {
        let patience = &mut Patience::new(self.options.search_timeout, caller.interrupted);
        match command {
            Command::Send(message) => self.send(message, caller, patience),
            Command::Publish(command) => self.publish(command),
            Command::History(command) => match self.engine.recorder() {
                Some(recorder) => self.past(recorder, command),
                None => self.history(command),
            },
            Command::ClearHistory(command) => self.clear_history(command),
            Command::List(command) => command.apply(self, patience),
            Command::Count(command) => command.apply(self, patience),
            Command::Close(command) => {
                command.check()?;
                let Close { id, code, reason } = *command;
                Ok(Reply::Flag(self.close_client(id, code, reason)))
            }
            Command::Kill(command) => Ok(Reply::Flag(self.kill_client(command.id))),
            Command::Client(command) => Ok(self.describe(command.id)),
            Command::PingTime(command) => Ok(self.of_client(command.id, ping_time)),
            Command::Ping(command) => {
                command.check()?;
                let Ping { how, .. } = *command;
                Ok(command.apply(&self.hub.read(), |key, _| self.post(key, Op::Ping { key, how })))
            }
            Command::Rename(command) => self.rename(command),
            Command::SetUser(command) => self.change_and_wait(command.user.map(Topic::User), |hub| command.apply(hub)),
            Command::DisconnectUser(command) => self.disconnect_user(command, patience),
            Command::Presence(command) => self.presence(command, patience),
            Command::Tag(command) => self.tag(command),
            Command::Untag(command) => self.untag(command),
            Command::ClearTags(command) => self.clear_tags(command),
            Command::Tags(command) => Ok(command.apply(self)),
            Command::SetInformation(command) => command.apply(command.shared(), &mut self.hub.write()),
            Command::GetInformation(command) => Ok(command.apply(&self.hub.read())),
            Command::DeleteInformation(command) => Ok(command.apply(&mut self.hub.write())),
            Command::ClearInformation(command) => Ok(command.apply(&mut self.hub.write())),
            Command::AllInformation(command) => Ok(command.apply(&self.hub.read())),
            Command::SearchInformation(command) => command.apply(self, patience),
            Command::Set(command) => {
                let value = command.shared();
                self.on_values(|store, now| command.apply(value, store, now))
            }
            Command::Add(command) => {
                let value = command.shared();
                self.on_values(|store, now| command.apply(value, store, now))
            }
            Command::Get(command) => self.on_values(|store, now| command.apply(store, now)),
            Command::Delete(command) => self.on_values(|store, now| command.apply(store, now)),
            Command::Increment(command) => self.on_values(|store, now| command.apply(store, now)),
            Command::Expiry(command) => self.on_values(|store, now| command.apply(store, now)),
            // Timers that are due are events: the bound of timers does not count them any more.
            Command::SetTimer(_) if self.dispatch.is_overloaded() => Err(TimerError::Overloaded.into()),
            Command::SetTimer(command) => {
                self.on_timers(|timers, now| command.apply(timers, now, |worker| self.dispatch.worker(worker).is_some()))
            }
            Command::ClearTimer(command) => self.on_timers(|timers, _| Ok(command.apply(timers))),
            Command::Routes => Ok(Reply::Names(self.route_names())),
            Command::Stats => Ok(Reply::Stats(self.stats().to_string().into())),
        }
    }

    /// What is known of a client: its connection, its tags, and whether it is live.
    fn of_client(&self, id: &str, answer: impl FnOnce(&Conn, &[Arc<str>], bool) -> Reply) -> Reply {
        let hub = self.hub.read();
        hub.client(id).map_or(Reply::Gone, |(conn, tags, connected)| answer(conn, tags, connected))
    }

    /// All that is known of a client.
    fn describe(&self, id: &str) -> Reply {
        let hub = self.hub.read();
        let Some((conn, tags, connected)) = hub.client(id) else { return Reply::Gone };
        let mut tags = tags.to_vec();
        tags.sort_unstable();
        let user = hub.user(id).map(|user| (*user.name).into()).unwrap_or_default();
        Reply::Client(Box::new(Client { connected, user, tags, ..conn.describe() }))
    }

    fn send(&self, message: &SendTo<'_>, caller: Caller<'_>, patience: &mut Patience<'_>) -> Result<Reply, CommandError> {
        message.check()?;
        let _recorded = self.record(message)?;
        let mut post = Post::new(self, message, caller.bell.map(|bell| &bell.deferral));
        message.address(self, patience, |key, to| post.send(key, to))?;
        post.finish()
    }

    fn disconnect_user(&self, command: &DisconnectUser<'_>, patience: &mut Patience<'_>) -> Result<Reply, CommandError> {
        command.check()?;
        let DisconnectUser { user, code, reason, route } = *command;
        let all = SendTo { to: Target::User(user), route, except: None, binary: true, data: b""[..].into() };
        let mut conns = Vec::new();
        all.address(self, patience, |_, conn| conns.push(conn.clone()))?;
        for conn in &conns {
            self.dismiss(conn);
            self.post(conn.key, Op::Close { key: conn.key, code, reason: reason.into() });
        }
        Ok(Reply::Count(conns.len() as u64))
    }

    fn rename(&self, command: &Rename<'_>) -> Result<Reply, CommandError> {
        command.check()?;
        let Rename { id, new } = *command;
        if self.hub.read().client(id).is_none_or(|(.., live)| !live) {
            return Ok(Reply::Renamed(Renamed::Gone));
        }
        // Nobody on this server takes it meanwhile, and then nobody on another one.
        let Some(_reserved) = self.reserved_ids.reserve(new).filter(|_| !self.hub.read().knows(new)) else {
            return Ok(Reply::Renamed(Renamed::Taken));
        };
        if !self.engine.claim(new)? {
            return Ok(Reply::Renamed(Renamed::Taken));
        }
        let renamed = command.apply(&mut self.hub.write(), |conn, new| conn.set_id(new));
        // The id that nobody has now.
        self.engine.release(if renamed == Renamed::Done { id } else { new });
        Ok(Reply::Renamed(renamed))
    }

    fn on_values(&self, run: impl FnOnce(&KeyValue, u64) -> Result<Reply, CommandError>) -> Result<Reply, CommandError> {
        self.values.run(run, || self.shards[0].wake())
    }

    fn on_timers(&self, run: impl FnOnce(&mut Timers, u64) -> Result<Reply, CommandError>) -> Result<Reply, CommandError> {
        self.timers.run(run, || self.shards[0].wake())
    }

    /// The names of the routes in force, sorted.
    pub(super) fn route_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.routes.read().current.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// How many connections are live.
    pub fn connections(&self) -> u64 {
        self.hub.read().len()
    }

    /// The ids of all live connections.
    pub fn ids(&self) -> Vec<Arc<str>> {
        self.hub.read().handles().map(|(_, _, conn)| conn.id()).collect()
    }
}

fn ping_time(conn: &Conn, _: &[Arc<str>], _: bool) -> Reply {
    Reply::Integer(conn.traffic.ping_time().map_or(0, |took| i64::try_from(took).unwrap_or(i64::MAX)))
}
