//! How a client becomes a subscriber.
//!
//! It gets the tag, and what is sent to it from then on waits at its shard until it has been told who is in the channel and what the last event was.
//! So it gets no event before it knows that it has subscribed, and hears of everybody who joins or leaves behind the list that it was given.

use std::collections::VecDeque;

use fws_hub::command::{Count, InChannel, Presence, Tag};
use fws_hub::{ClusterError, Command, Key, Reply, Target};
use fws_pusher::{Action, AppConfig, Channel, Error, Joined, Kind, Member, channel};

use super::super::{Caller, Core};
use super::failed;
use super::tell::Deed;
use crate::pusher::{Client, Entering};
use crate::routes::Route;
use crate::shard::{Missed, Op};

/// A client whose shard waits for what comes before all that is sent to it.
pub(super) struct Waiting<'a> {
    core: &'a Core,
    key: Key,
    frames: VecDeque<Missed>,
}

impl Waiting<'_> {
    /// From now on the shard waits, until this is dropped.
    pub fn begin(core: &Core, key: Key) -> Waiting<'_> {
        core.shard(key).post(Op::Hold { key });
        Waiting { core, key, frames: VecDeque::new() }
    }

    /// This comes first.
    pub fn say(&mut self, frame: String) {
        self.frames.push_back(Missed { binary: false, data: frame.into_bytes().into() });
    }
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
                self.pusher_counts(of, name);
                self.pusher_told(client, of, name, Deed::Subscribe(member.as_ref().map_or("", Member::info)));
            }
            Err(error) => client.connection.refused(name, subscription, &error, &mut actions),
        }
        if let Some(waiting) = &mut waiting {
            let told = actions.iter().take_while(|action| matches!(action, Action::Send(_))).count();
            actions.drain(..told).filter_map(frame).for_each(|frame| waiting.say(frame));
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
        let _entering = match member {
            Some(member) => self.pusher_room((route, app), &tag, member)?,
            None => None,
        };
        let in_channel = member.map(|member| InChannel { user: &member.user_id, info: member.info().as_bytes().into() });
        let command = Tag { id: &id, tag: &tag, since: kind.cache.then_some(""), member: in_channel };
        let mut joined = Joined::default();
        let mut greet = |key: Key, last: Option<&[u8]>| {
            *waiting = Some(Waiting::begin(self, key));
            joined.cached = last.map(|last| String::from_utf8_lossy(last).into_owned());
        };
        self.tag_and(&command, Some(&mut greet)).map_err(|error| failed(error, app))?;
        if let Some(member) = member {
            self.engine.wait_attended();
            joined.members = self.pusher_present(route, &tag);
            if !joined.members.iter().any(|there| there.user_id == member.user_id) {
                joined.members.push(member.clone());
            }
            joined.members.sort_unstable_by(|one, other| one.user_id.cmp(&other.user_id));
        }
        if app.subscription_count {
            joined.count = self.pusher_count_at_ease(&route.name, &tag, app);
        }
        Ok(joined)
    }

    /// Whether a presence channel has room for a member, and whether a client has room for the list of its members. Where this server is alone, nobody
    /// else enters the channel until what is returned is dropped.
    fn pusher_room(&self, (route, app): (&Route, &AppConfig), tag: &str, member: &Member) -> Result<Option<Entering<'_>>, Error> {
        let entering = (!self.is_clustered()).then(|| self.pusher.enter(tag));
        let members = self.pusher_present(route, tag);
        let most = app.limits.presence_members;
        if members.len() >= most && !members.iter().any(|there| there.user_id == member.user_id) {
            return Err(Error::ChannelFull(most));
        }
        // An id stands there twice.
        let size = |member: &Member| 2 * member.user_id.len() + member.info().len() + 16;
        let most = route.settings.backlog.max_outbox;
        if members.iter().chain([member]).map(size).sum::<usize>() > most {
            return Err(Error::TooLarge { what: "list of the channel's members", most });
        }
        Ok(entering)
    }

    /// Who is in a presence channel: on all servers, if their Redis can be asked, else on this one. Then the clients are told later who is there.
    fn pusher_present(&self, route: &Route, tag: &str) -> Vec<Member> {
        match self.engine.present(&route.name, tag) {
            Ok(present) => return present.into_iter().filter_map(|(user, info)| Member::new(user, &info)).collect(),
            // Once it is back, all are told.
            Err(ClusterError::Unavailable) => {}
            Err(_) => self.pusher.list_channel((route.name.clone(), tag.into())),
        }
        self.pusher_present_here(&route.name, tag)
    }

    pub(super) fn pusher_present_here(&self, route: &str, tag: &str) -> Vec<Member> {
        match self.execute(&Command::Presence(Presence { tag, route: Some(route) }), Caller::default()) {
            Ok(Reply::Members(members)) => members.into_iter().filter_map(|member| Member::new(member.user, &member.info)).collect(),
            // The channel is gone, and the route with it.
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// Who is in a presence channel on all servers.
    pub(super) fn pusher_members(&self, route: &str, tag: &str) -> Result<Vec<Member>, Error> {
        if !self.is_clustered() {
            return Ok(self.pusher_present_here(route, tag));
        }
        let mut present = self.engine.present(route, tag).map_err(|_| Error::Unavailable)?;
        present.sort_unstable();
        Ok(present.into_iter().filter_map(|(user, info)| Member::new(user, &info)).collect())
    }

    /// How many connections have a tag, for clients and servers that are told so without asking. `None`: some server does not answer. None is asked for a while
    /// then, so that nobody waits for it again and again.
    pub(super) fn pusher_count_at_ease(&self, route: &str, tag: &str, app: &AppConfig) -> Option<u64> {
        if self.pusher.is_hopeless() {
            return None;
        }
        self.pusher_count(route, tag, app).inspect_err(|_| self.pusher.lose_hope()).ok()
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

fn frame(action: Action) -> Option<String> {
    match action {
        Action::Send(frame) => Some(frame),
        Action::Subscribe { .. }
        | Action::Unsubscribe { .. }
        | Action::ClientEvent(_)
        | Action::SignIn(_)
        | Action::Watch(_)
        | Action::CacheMiss { .. }
        | Action::Close { .. } => None,
    }
}
