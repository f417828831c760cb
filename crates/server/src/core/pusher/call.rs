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

impl Core {
    /// Answers a request of the HTTP API of a route's applications. The calling thread waits for other servers.
    pub fn pusher_call(&self, call: &HttpCall<'_>) -> Answer {
        let Some(route) = self.pusher_route(call.route) else { return answer::error(&Error::Unavailable) };
        let Some(apps) = &route.apps else { return answer::error(&Error::Unavailable) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let request = Request { method: call.method, path: own_path(call.path), query: call.query, body: call.body, now };
        add(&self.counters.pusher_calls, 1);
        let answered = match api::verify(&request, |id| apps.of_id(id)) {
            Ok(Verified::Up) => Ok(answer::up()),
            Ok(Verified::Call { app, call }) => self.pusher_carry_out(&route, app, call),
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(|error| {
            add(&self.counters.pusher_calls_refused, 1);
            answer::error(&error)
        })
    }

    /// The largest body of a call of a route: a host need not read more.
    pub fn pusher_body(&self, route: &str) -> u64 {
        let route = self.pusher_route(route);
        let apps = route.iter().filter_map(|route| route.apps.as_ref()).flat_map(|apps| apps.iter());
        apps.map(|app| app.limits.body() as u64).max().unwrap_or_default()
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

/// A path without what a site has in front of it: `/ws/apps/1/events` is signed as `/apps/1/events`.
fn own_path(path: &str) -> &str {
    match path.find("/apps/") {
        Some(at) => &path[at..],
        None if path.ends_with("/up") => "/up",
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn what_stands_in_front_of_a_path_is_not_a_part_of_it() {
        for (path, own) in [
            ("/apps/1/events", "/apps/1/events"),
            ("/ws/apps/1/events", "/apps/1/events"),
            ("/a/b/apps/1/channels/x/users", "/apps/1/channels/x/users"),
            ("/apps/1/users/apps/terminate_connections", "/apps/1/users/apps/terminate_connections"),
            ("/up", "/up"),
            ("/ws/up", "/up"),
            ("/elsewhere", "/elsewhere"),
            ("/setup", "/setup"),
            ("/app", "/app"),
        ] {
            assert_eq!(own_path(path), own, "{path}");
        }
    }
}
