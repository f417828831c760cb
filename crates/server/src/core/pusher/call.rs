//! The HTTP API: what an application's servers ask for.

use std::time::{SystemTime, UNIX_EPOCH};

use fws_hub::command::{DisconnectUser, ReadHistory, SendTo, Tags};
use fws_hub::{Command, Reply, Target};
use fws_pusher::api::answer::{self, Answer, Cached, ChannelInfo};
use fws_pusher::api::{self, Call, Event, Info, Request, Verified};
use fws_pusher::{AppConfig, Channel, Error, channel, frame};
use serde::Deserialize;

use super::super::Core;
use super::{everybody, failed, user_name};
use crate::routes::Route;
use crate::stats::add;

/// A request of the HTTP API, whatever its path is.
#[derive(Debug, Clone, Copy)]
pub struct HttpCall<'a> {
    /// The name of the route.
    pub route: &'a str,
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// What stands behind the `?`, as it was sent.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Why the body of a call was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It did not come in time.
    Late,
    /// The bodies of other calls take as much memory as they may.
    NoRoom,
}

fn request<'a>(call: &HttpCall<'a>) -> Request<'a> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Request { method: call.method, path: call.path, query: call.query, body: call.body, now }
}

impl Core {
    /// Looks at a request of the HTTP API whose body is not there yet; that of `call` is not looked at. `size` is that of its body as far as
    /// it was announced, or 0. Either the body may be read, and no more of it than so many bytes, or the answer is known.
    pub fn pusher_examine(&self, call: &HttpCall<'_>, size: u64) -> Result<u64, Answer> {
        let Some(route) = self.pusher_route(call.route) else { return Err(self.pusher_refused(&Error::Unavailable)) };
        let Some(apps) = &route.apps else { return Err(self.pusher_refused(&Error::Unavailable)) };
        let examined = api::examine(&request(call).head(), |id| apps.of_id(id));
        let most = examined.and_then(|examined| examined.check_size(size).map(|()| examined.most() as u64));
        most.map_err(|error| self.pusher_refused(&error))
    }

    /// The answer to a call whose body was not read to its end.
    pub fn pusher_unread(&self, why: Unread) -> Answer {
        self.pusher_refused(match why {
            Unread::Late => &Error::BodyLate,
            Unread::NoRoom => &Error::NoRoomForBody,
        })
    }

    /// Answers a request of the HTTP API of a route's applications. The calling thread waits for other servers.
    pub fn pusher_call(&self, call: &HttpCall<'_>) -> Answer {
        let Some(route) = self.pusher_route(call.route) else { return self.pusher_refused(&Error::Unavailable) };
        let Some(apps) = &route.apps else { return self.pusher_refused(&Error::Unavailable) };
        let answered = match api::verify(&request(call), |id| apps.of_id(id)) {
            Ok(Verified::Up) => Ok(answer::up()),
            Ok(Verified::Call { app, call }) => self.pusher_carry_out(&route, app, call),
            Err(error) => Err(error),
        };
        match answered {
            Ok(answer) => {
                add(&self.counters.pusher_calls, 1);
                answer
            }
            Err(error) => self.pusher_refused(&error),
        }
    }

    fn pusher_refused(&self, error: &Error) -> Answer {
        add(&self.counters.pusher_calls, 1);
        add(&self.counters.pusher_calls_refused, 1);
        answer::error(error)
    }

    fn pusher_carry_out(&self, route: &Route, app: &AppConfig, call: Call) -> Result<Answer, Error> {
        match call {
            Call::Events(event) => {
                self.pusher_publish(route, app, &event)?;
                if event.info.is_empty() {
                    return Ok(answer::done());
                }
                let told = event.channels.iter().map(|name| Ok((name.clone(), self.pusher_info(route, app, name, event.info)?)));
                Ok(answer::channels(&told.collect::<Result<Vec<_>, Error>>()?))
            }
            Call::BatchEvents(events) => {
                let mut told = Vec::with_capacity(events.len());
                for event in &events {
                    self.pusher_publish(route, app, event)?;
                    let name = event.channels.first().map_or("", String::as_str);
                    told.push(self.pusher_info(route, app, name, event.info)?);
                }
                let asked = events.iter().any(|event| !event.info.is_empty());
                Ok(if asked { answer::batch(&told) } else { answer::done() })
            }
            Call::Channels { prefix, info } => self.pusher_channels(route, app, &prefix, info),
            Call::Channel { channel, info } => {
                let told = self.pusher_info(route, app, &channel, Info { occupied: true, ..info })?;
                Ok(answer::channel(told.occupied == Some(true), told))
            }
            Call::Users { channel } => Ok(answer::users(&self.pusher_members(&route.name, &channel::tag(&app.id, &channel))?)),
            Call::TerminateConnections { user_id } => {
                self.pusher_terminate(route, app, &user_id)?;
                Ok(answer::done())
            }
            Call::Connections => Ok(answer::connections(self.pusher_count(&route.name, &everybody(app), app)?)),
        }
    }

    /// Sends an event to its channels. To how many clients of this server.
    pub(super) fn pusher_publish(&self, route: &Route, app: &AppConfig, event: &Event) -> Result<u64, Error> {
        let except = event.except.map(|id| id.to_string());
        let mut clients = 0;
        for name in &event.channels {
            let told = frame::event(name, &event.name, &event.data);
            let sent = self.pusher_send(&route.name, (app, name), &told, except.as_deref(), true);
            clients += sent.map_err(|error| failed(error, app))?;
            add(&self.counters.pusher_events, 1);
        }
        Ok(clients)
    }

    /// The channels that have subscribers, on any server.
    fn pusher_channels(&self, route: &Route, app: &AppConfig, prefix: &str, info: Info) -> Result<Answer, Error> {
        let names = match self.ask(&Command::Tags(Tags { id: None })) {
            Ok(Reply::Names(names)) => names,
            Ok(_) => Vec::new(),
            Err(error) => return Err(failed(error, app)),
        };
        let mut told = Vec::new();
        for name in &names {
            let Some((id, name)) = channel::of_tag(name) else { continue };
            if id == app.id
                && name.starts_with(prefix)
                && let Ok(channel) = Channel::parse(name, &app.limits)
            {
                told.push((name.to_owned(), self.pusher_info(route, app, name, info.within(channel.kind))?));
            }
        }
        Ok(answer::channels(&told))
    }

    /// What is asked of a channel, as far as the channel has it.
    fn pusher_info(&self, route: &Route, app: &AppConfig, name: &str, info: Info) -> Result<ChannelInfo, Error> {
        let kind = Channel::parse(name, &app.limits)?.kind;
        let (info, tag) = (info.within(kind), channel::tag(&app.id, name));
        let mut told = ChannelInfo::default();
        if info.occupied || info.subscription_count {
            let count = self.pusher_count(&route.name, &tag, app)?;
            told.occupied = info.occupied.then_some(count > 0);
            told.subscription_count = info.subscription_count.then_some(count);
        }
        if info.user_count {
            told.user_count = Some(self.pusher_members(&route.name, &tag)?.len() as u64);
        }
        if info.cache {
            told.cache = self.pusher_cached(route, app, &tag)?;
        }
        Ok(told)
    }

    /// The last event of a cache channel.
    fn pusher_cached(&self, route: &Route, app: &AppConfig, tag: &str) -> Result<Option<Cached>, Error> {
        #[derive(Deserialize)]
        struct Sent {
            data: String,
        }
        let read = ReadHistory { tag, limit: 1, since: None, route: Some(&route.name) };
        let history = match self.ask(&Command::History(read)) {
            Ok(Reply::History(history)) => history,
            Ok(_) => return Ok(None),
            Err(error) => return Err(failed(error, app)),
        };
        let Some(last) = history.messages.last() else { return Ok(None) };
        let Ok(Sent { data }) = serde_json::from_slice(&last.data) else { return Ok(None) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let age = route.channel(tag).and_then(|channel| channel.history).map_or(0, |history| history.age);
        Ok(Some(Cached { data, ttl: last.time.saturating_add(age).saturating_sub(now) / 1000 }))
    }

    /// Ends the connections of a user, and says why.
    fn pusher_terminate(&self, route: &Route, app: &AppConfig, user_id: &str) -> Result<(), Error> {
        let (user, error) = (user_name(app, user_id), Error::Terminated);
        let told = frame::error(&error);
        let message =
            SendTo { to: Target::User(&user), route: Some(&route.name), except: None, binary: false, data: told.as_bytes().into() };
        self.ask(&Command::Send(message)).map_err(|error| failed(error, app))?;
        let Some((code, reason)) = error.close() else { return Ok(()) };
        let ended = DisconnectUser { user: &user, code: code.number(), reason: &reason, route: Some(&route.name) };
        self.ask(&Command::DisconnectUser(ended)).map_err(|error| failed(error, app))?;
        Ok(())
    }
}
