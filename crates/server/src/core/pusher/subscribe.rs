//! How a client becomes a subscriber.
//!
//! It gets the tag, and what is sent to it from then on waits at its shard until it has been told who is in the channel and what the last event was.
//! So it gets no event before it knows that it has subscribed, and hears of everybody who joins or leaves behind the list that it was given.

use std::collections::VecDeque;

use fws_hub::command::{Count, InChannel, Presence, Tag, Untag};
use fws_hub::{Command, Key, Reply, Target};
use fws_pusher::{Action, AppConfig, Channel, Error, Joined, Kind, Member, channel};

use super::super::Core;
use super::failed;
use super::tell::Deed;
use crate::pusher::Client;
use crate::routes::Route;
use crate::shard::{Missed, Op};

/// A client whose shard waits for what comes before all that is sent to it.
struct Waiting<'a> {
    core: &'a Core,
    key: Key,
    frames: VecDeque<Missed>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.core.post(self.key, Op::Release { key: self.key, messages: std::mem::take(&mut self.frames) });
    }
}

impl Core {
    /// Makes a client a subscriber, and tells it. What else the connection wants then.
    pub(super) fn pusher_subscribe(
        &self,
        client: &mut Client,
        of: (&Route, &AppConfig),
        (name, kind): (&str, Kind),
        member: Option<Member>,
        subscription: u32,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut waiting = None;
        match self.pusher_join(client, of, (name, kind), member.as_ref(), &mut waiting) {
            Ok(joined) => {
                client.connection.subscribed(Channel { name, kind }, subscription, joined, &mut actions);
                if let Some(member) = &member {
                    client.members.insert(name.into(), member.user_id.clone());
                }
                self.pusher_hook_subscribed(&client.conn, of, name);
                self.pusher_told(client, of, name, Deed::Subscribe(member.as_ref().map_or("", Member::info)));
            }
            Err(error) => client.connection.refused(name, subscription, &error, &mut actions),
        }
        if let Some(waiting) = &mut waiting {
            let told = actions.iter().take_while(|action| matches!(action, Action::Send(_))).count();
            waiting.frames = actions.drain(..told).filter_map(frame).collect();
        }
        actions
    }

    fn pusher_join<'a>(
        &'a self,
        client: &Client,
        (route, app): (&Route, &AppConfig),
        (name, kind): (&str, Kind),
        member: Option<&Member>,
        waiting: &mut Option<Waiting<'a>>,
    ) -> Result<Joined, Error> {
        let (id, tag) = (client.conn.id(), channel::tag(&app.id, name));
        if let Some(member) = member {
            let most = app.limits.presence_members;
            let members = self.pusher_members(&route.name, &tag, app)?;
            if members.len() >= most && !members.iter().any(|there| there.user_id == member.user_id) {
                return Err(Error::ChannelFull(most));
            }
        }
        let in_channel = member.map(|member| InChannel { user: &member.user_id, info: member.info().as_bytes().into() });
        let command = Tag { id: &id, tag: &tag, since: kind.cache.then_some(""), member: in_channel };
        let mut joined = Joined::default();
        let mut greet = |key: Key, last: Option<&[u8]>| {
            self.shard(key).post(Op::Hold { key });
            *waiting = Some(Waiting { core: self, key, frames: VecDeque::new() });
            joined.cached = last.map(|last| String::from_utf8_lossy(last).into_owned());
        };
        self.tag_and(&command, Some(&mut greet)).map_err(|error| failed(error, app))?;
        let told = self.pusher_joined(&mut joined, (route, app), &tag, member.is_some());
        if told.is_err() {
            let _ = self.untag(&Untag { id: &id, tag: &tag });
        }
        told.map(|()| joined)
    }

    /// What a new subscriber is told of the channel.
    fn pusher_joined(&self, joined: &mut Joined, (route, app): (&Route, &AppConfig), tag: &str, has_members: bool) -> Result<(), Error> {
        if has_members {
            joined.members = self.pusher_members(&route.name, tag, app)?;
        }
        if app.subscription_count {
            joined.count = Some(self.pusher_count(&route.name, tag, app)?);
        }
        Ok(())
    }

    /// Who is in a presence channel.
    pub(super) fn pusher_members(&self, route: &str, tag: &str, app: &AppConfig) -> Result<Vec<Member>, Error> {
        match self.ask(&Command::Presence(Presence { tag, route: Some(route) })) {
            Ok(Reply::Members(members)) => Ok(members.into_iter().filter_map(|member| Member::new(member.user, &member.info)).collect()),
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(failed(error, app)),
        }
    }

    /// How many connections have a tag.
    pub(super) fn pusher_count(&self, route: &str, tag: &str, app: &AppConfig) -> Result<u64, Error> {
        match self.ask(&Command::Count(Count { of: Target::Tag(tag), route: Some(route) })) {
            Ok(Reply::Count(count)) => Ok(count),
            Ok(_) => Ok(0),
            Err(error) => Err(failed(error, app)),
        }
    }
}

fn frame(action: Action) -> Option<Missed> {
    match action {
        Action::Send(frame) => Some(Missed { binary: false, data: frame.into_bytes().into() }),
        Action::Subscribe { .. }
        | Action::Unsubscribe { .. }
        | Action::ClientEvent(_)
        | Action::SignIn(_)
        | Action::CacheMiss { .. }
        | Action::Close { .. } => None,
    }
}
