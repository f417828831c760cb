//! Those who join channels and leave them.

use fws_pusher::webhook::Event as Hook;
use fws_pusher::{Channel, Member, channel, frame};
use fws_session::Membership;

use super::super::Core;
use super::webhook::occupied_channel;

impl Core {
    /// A user has joined a channel, or left it: the others are told. It is told once for all servers.
    pub(super) fn pusher_attendance(&self, membership: &Membership, joined: bool) {
        let Some(route) = self.pusher_route(&membership.route) else { return };
        let Some((app, name)) = channel::of_tag(&membership.tag) else { return };
        let Some(app) = route.apps.as_ref().and_then(|apps| apps.of_id(app)) else { return };
        if let Some(channel) = occupied_channel(name) {
            let event = if joined { Hook::ChannelOccupied { channel } } else { Hook::ChannelVacated { channel } };
            return self.pusher_hook(&route, app, &event);
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
        self.pusher_hook(&route, app, &event);
        self.pusher_attended(&route, membership, joined);
        let _ = self.pusher_send(&route.name, (app, name), &told, membership.by.as_deref(), false);
    }
}
