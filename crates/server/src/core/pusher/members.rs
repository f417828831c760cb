//! Those who join channels and leave them.

use std::sync::Arc;

use fws_hub::command::SendTo;
use fws_hub::{Command, Expression, Target};
use fws_pusher::webhook::Event as Hook;
use fws_pusher::{AppConfig, Channel, Member, channel, frame};
use fws_session::Membership;

use super::super::{Caller, Core};
use super::watchlist::USERS;
use super::webhook::occupied_channel;
use crate::routes::Route;

/// So often the list of a channel is told where it changes all the time.
const MOST_LISTS: usize = 5;

impl Core {
    /// A user has joined a channel, or left it: the others are told. It is told once for all servers.
    pub(super) fn pusher_attendance(&self, membership: &Membership, joined: bool) {
        let Some(route) = self.pusher_route(&membership.route) else { return };
        let Some((app, name)) = channel::of_tag(&membership.tag) else { return };
        let Some(app) = route.apps.as_ref().and_then(|apps| apps.of_id(app)) else { return };
        if let Some(channel) = occupied_channel(name) {
            let event = if joined { Hook::ChannelOccupied { channel } } else { Hook::ChannelVacated { channel } };
            return self.pusher_hook(app, &event);
        }
        if name == USERS {
            return self.pusher_tell_watchers((&route, app), membership, joined);
        }
        if !Channel::parse(name, &app.limits).is_ok_and(|channel| channel.kind.needs_member()) {
            return;
        }
        let told = if joined {
            let Some(member) = Member::new(membership.user.clone(), &membership.info) else { return };
            frame::member_added(name, &member)
        } else {
            frame::member_removed(name, &membership.user)
        };
        let user_id = &*membership.user;
        let event = if joined { Hook::MemberAdded { channel: name, user_id } } else { Hook::MemberRemoved { channel: name, user_id } };
        self.pusher_hook(app, &event);
        self.pusher_attended(&route, membership, joined);
        // A client that has left and come again at once knows it by the new list: it is told neither.
        let user = (membership.tag.clone(), membership.user.clone());
        let hears = joined && self.pusher.comes_late(&user, membership.by.as_deref());
        let except = membership.by.as_deref().filter(|_| !hears);
        let _ = self.pusher_send(&route.name, (app, name), &told, except, false);
        // Who has come by another client meanwhile was told behind the new list that its own user has left. So it has to hear that the user has come.
        if !joined && self.hub.read().is_member(route.id, &membership.tag, &membership.user) {
            self.pusher.leave_early(user, membership.by.clone());
        }
    }

    /// Tells the clients on this server who is in their presence channels, and who of their watchlists is online: this server could not reach the others for
    /// a while.
    pub(super) fn pusher_list_again(&self) {
        let routes: Vec<Arc<Route>> = self.routes.read().current.values().filter(|route| route.apps.is_some()).cloned().collect();
        for route in routes {
            let tags = self.hub.read().channels_with_members(route.id);
            for tag in tags {
                let Some(app) = channel::of_tag(&tag).and_then(|(app, _)| route.apps.as_ref()?.of_id(app)) else { continue };
                if self.pusher_list_channel(&route, app, &tag).is_none() {
                    // The others are away again: this is called once more when they are back.
                    return;
                }
            }
        }
        self.pusher_watch_again();
    }

    /// `None`: the other servers cannot be asked.
    fn pusher_list_channel(&self, route: &Route, app: &AppConfig, tag: &str) -> Option<()> {
        let Some((_, name)) = channel::of_tag(tag) else { return Some(()) };
        if !Channel::parse(name, &app.limits).is_ok_and(|channel| channel.kind.needs_member()) {
            return Some(());
        }
        let sorted = || {
            let mut present = self.engine.present(&route.name, tag)?;
            present.sort_unstable();
            Some(present)
        };
        let mut present = sorted()?;
        for _ in 0..MOST_LISTS {
            let members: Vec<Member> = present.iter().filter_map(|(user, info)| Member::new(user.clone(), info)).collect();
            let told = frame::presence_succeeded(name, &members);
            // It is not an event of the channel: a history has none of it.
            let only = Expression::quote(tag);
            let to = Target::Expression(&only);
            let message = SendTo { to, route: Some(&route.name), except: None, binary: false, data: told.as_bytes().into() };
            let _ = self.execute(&Command::Send(message), Caller::default());
            // Another server may have told who left before the list was sent, which has them still.
            let now = sorted()?;
            if now == present {
                break;
            }
            present = now;
        }
        Some(())
    }
}
