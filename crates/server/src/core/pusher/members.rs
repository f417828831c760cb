//! Those who join channels and leave them: PHP and the servers of applications are told by the server where that happens, and clients by the server that
//! they are on.
//!
//! Among several servers, Redis publishes each change of a channel's list as it makes it. So all servers tell their clients of the changes in the same order.
//! Where some may be missing, the clients are told the list again.

use std::sync::Arc;
use std::time::Instant;

use fws_engine::Topic;
use fws_engine::redis::{Became, Member as ClusterMember};
use fws_hub::command::SendTo;
use fws_hub::{ClusterError, Command, Expression, Key, Target};
use fws_pusher::webhook::Event as Hook;
use fws_pusher::{AppConfig, Channel, Member, channel, frame};
use fws_session::{ChannelEventKind, Event, Membership};

use super::super::{Caller, Core};
use super::watchlist::USERS;
use super::webhook::occupied_channel;
use crate::pusher::{Listing, Named};
use crate::routes::Route;

/// Who has joined a channel, or left it.
#[derive(Clone, Copy)]
pub(super) struct Attendee<'a> {
    pub tag: &'a str,
    pub user: &'a str,
    pub info: &'a [u8],
    /// The client by which that has happened.
    pub by: Option<&'a str>,
}

/// What the members of a channel are for.
enum Channels<'a> {
    /// Clients know who is in it.
    Presence(&'a str),
    /// It has those who are signed in.
    Users,
    /// It says whether this channel has subscribers.
    Occupied(&'a str),
    /// Nothing, since the configuration has changed.
    None,
}

impl Channels<'_> {
    fn of<'a>(app: &AppConfig, name: &'a str) -> Channels<'a> {
        if let Some(channel) = occupied_channel(name) {
            return Channels::Occupied(channel);
        }
        match Channel::parse(name, &app.limits) {
            _ if name == USERS => Channels::Users,
            Ok(channel) if channel.kind.needs_member() => Channels::Presence(name),
            Ok(_) | Err(_) => Channels::None,
        }
    }
}

/// Whether clients are told who comes to a channel and goes.
pub(crate) fn is_followed(tag: &str) -> bool {
    channel::of_tag(tag).is_some_and(|(_, name)| occupied_channel(name).is_none())
}

impl Core {
    /// A user has joined a channel, or left it. It is told once for all servers.
    pub(super) fn pusher_attendance(&self, membership: &Membership, joined: bool) {
        self.in_channel(&membership.route, &membership.tag, |route, app, channel| {
            let user_id = &*membership.user;
            match channel {
                Channels::Occupied(channel) => {
                    let kind = if joined { ChannelEventKind::Occupied } else { ChannelEventKind::Vacated };
                    self.pusher_hook_channel((route, app), channel, kind);
                }
                Channels::Presence(channel) => {
                    let told =
                        || if joined { Event::Join(Box::new(membership.clone())) } else { Event::Leave(Box::new(membership.clone())) };
                    let event = if joined { Hook::MemberAdded { channel, user_id } } else { Hook::MemberRemoved { channel, user_id } };
                    self.pusher_hook((route, app), &event, told);
                    self.pusher_attended(route, membership, told);
                }
                Channels::Users | Channels::None => {}
            }
            if !self.is_clustered() {
                let attendee = Attendee { tag: &membership.tag, user: user_id, info: &membership.info, by: membership.by.as_deref() };
                self.pusher_tell_attendance((route, app), channel, attendee, joined);
            }
        });
    }

    /// All servers hear what has become of a member of a channel.
    pub(crate) fn pusher_heard(&self, became: Became, member: &ClusterMember, heard: Instant) {
        // What was heard before all clients had left the channel who were here is not for those who have come since: what came behind it they have not heard, and
        // their lists are younger.
        if self.engine.listens_since(Topic::Tag(&member.tag)).is_none_or(|since| since > heard) {
            return;
        }
        self.in_channel(&member.route, &member.tag, |route, app, channel| {
            let attendee = Attendee { tag: &member.tag, user: &member.user, info: &member.info, by: member.by.as_deref() };
            match (became, &channel) {
                (Became::Here, _) | (Became::Restored, Channels::Users) => {
                    self.pusher_tell_attendance((route, app), channel, attendee, true)
                }
                (Became::Gone, _) => self.pusher_tell_attendance((route, app), channel, attendee, false),
                // Clients may have been told that it has left, or not.
                (Became::Restored, Channels::Presence(_)) => self.pusher.list_channel((route.name.clone(), member.tag.clone())),
                (Became::Restored, Channels::Occupied(_) | Channels::None) => {}
            }
        });
    }

    fn in_channel(&self, route: &str, tag: &str, then: impl FnOnce(&Route, &AppConfig, Channels<'_>)) {
        let Some(route) = self.pusher_route(route) else { return };
        let Some((app, name)) = channel::of_tag(tag) else { return };
        let Some(app) = route.apps.as_ref().and_then(|apps| apps.of_id(app)) else { return };
        then(&route, app, Channels::of(app, name));
    }

    /// Tells the clients on this server.
    fn pusher_tell_attendance(&self, of: (&Route, &AppConfig), channel: Channels<'_>, attendee: Attendee<'_>, joined: bool) {
        let name = match channel {
            Channels::Presence(name) => name,
            Channels::Users => return self.pusher_tell_watchers(of, attendee, joined),
            Channels::Occupied(_) | Channels::None => return,
        };
        let Attendee { tag, user, info, by } = attendee;
        let mut listing = self.is_clustered().then(|| self.pusher.listing.lock());
        let told = if joined {
            let Some(member) = Member::new(user.into(), info) else { return };
            frame::member_added(name, &member)
        } else {
            frame::member_removed(name, user)
        };
        // A client that has left and come again at once knows it by the new list: it is told neither.
        let hears = joined && self.pusher.comes_late(tag, user, by);
        self.pusher_tell_here(&of.0.name, (of.1, name), &told, by.filter(|_| !hears));
        // Who has come by another client meanwhile was told behind the new list that its own user has left. So it has to hear that the user has come.
        if !joined && self.hub.read().is_present(of.0.id, tag, user) {
            self.pusher.leave_early(tag, user, by);
        }
        if let Some(Some(listing)) = listing.as_deref_mut() {
            listing.note((&of.0.name, tag), user, joined, told);
        }
    }

    /// Has the clients on this server told who is in their presence channels, and who of their watchlists is online: this server could not reach the others
    /// for a while.
    pub(super) fn pusher_list_again(&self) {
        let routes: Vec<Arc<Route>> = self.routes.read().current.values().filter(|route| route.apps.is_some()).cloned().collect();
        for route in routes {
            let tags = self.hub.read().channels_with_members(route.id);
            self.pusher.list_now(tags.into_iter().map(|tag| (route.name.clone(), (*tag).into())), []);
        }
        self.pusher.list_now([], self.pusher.keys());
    }

    /// Tells the clients in these channels who is there, and these clients who of their watchlists is online.
    pub(super) fn pusher_list_some(&self, channels: &[Named], clients: &[Key]) {
        for (done, channel) in channels.iter().enumerate() {
            if !self.pusher_list_channel(channel) {
                return self.pusher.list_in_vain(channels[done..].iter().cloned(), clients.iter().copied());
            }
        }
        clients.iter().for_each(|client| self.pusher_watch_again(*client));
    }

    /// Tells the clients in a channel on this server who is there. `false`: Redis has not said that, and is to be asked once more. Where it is away it is
    /// done for all channels once it is back.
    fn pusher_list_channel(&self, named: &Named) -> bool {
        let ((route, tag), mut done) = (named, true);
        self.in_channel(route, tag, |route, app, channel| {
            let Channels::Presence(name) = channel else { return };
            *self.pusher.listing.lock() = Some(Listing::of(named.clone()));
            let present = self.engine.present(&route.name, tag);
            // Nobody is told of members until the list is told, and what it may not have.
            let mut listing = self.pusher.listing.lock();
            let meanwhile = listing.take().map(Listing::changes).unwrap_or_default();
            let mut present = match present {
                Ok(present) => present,
                Err(error) => return done = error == ClusterError::Unavailable,
            };
            present.sort_unstable();
            let members: Vec<Member> = present.iter().filter_map(|(user, info)| Member::new(user.clone(), info)).collect();
            let told = frame::presence_succeeded(name, &members);
            // It is not an event of the channel: a history has none of it.
            let only = Expression::quote(tag);
            let to = Target::Expression(&only);
            let message = SendTo { to, route: Some(&route.name), except: None, binary: false, data: told.as_bytes().into() };
            let _ = self.execute(&Command::Send(message), Caller::default());
            let is_listed = |user: &str| members.binary_search_by(|member| (*member.user_id).cmp(user)).is_ok();
            for (user, (joined, told)) in meanwhile {
                if joined != is_listed(&user) {
                    self.pusher_tell_here(&route.name, (app, name), &told, None);
                }
            }
            // The client by which somebody comes who is not on the list yet has to hear of it: the list came behind its own.
            for member in self.pusher_present_here(&route.name, tag) {
                if !is_listed(&member.user_id) {
                    self.pusher.leave_early(tag, &member.user_id, None);
                }
            }
        });
        done
    }
}
