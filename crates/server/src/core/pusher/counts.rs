//! How many have subscribed to a channel: its subscribers are told some time after that has changed, and webhooks at once.

use fws_pusher::webhook::Kind;
use fws_pusher::{AppConfig, channel, frame};
use fws_session::ChannelEventKind;

use super::super::Core;
use crate::pusher::Named;
use crate::routes::Route;

/// So often a thread counts a channel whose number of subscribers changes all the time, before it leaves that to the clock.
const ROUNDS: usize = 3;

impl Core {
    /// A channel has another number of subscribers.
    pub(super) fn pusher_counts(&self, (route, app): (&Route, &AppConfig), name: &str) {
        if app.subscription_count && !self.is_draining() {
            self.pusher.count_later(named(route, app, name));
        }
    }

    /// The time has come to tell how many have subscribed to channels.
    pub(super) fn pusher_tell_counts(&self, channels: &[Named]) {
        for channel in channels {
            let put_off = self.pusher.counting.resume(channel);
            let (route, tag) = channel;
            let route = self.pusher_route(route);
            let app = |id: &str| route.as_ref()?.apps.as_ref()?.of_id(id);
            let found = channel::of_tag(tag).and_then(|(id, name)| Some((route.as_deref()?, app(id)?, name)));
            match found {
                Some((route, app, name)) => {
                    if put_off {
                        self.pusher_count_for_webhooks((route, app), name, channel);
                    }
                    self.pusher_tell_count((route, app), name, tag);
                }
                None if put_off => self.pusher.counting.forget(channel),
                None => {}
            }
        }
    }

    /// Tells the subscribers of a channel how many they are, on all servers.
    fn pusher_tell_count(&self, (route, app): (&Route, &AppConfig), name: &str, tag: &str) {
        if !app.subscription_count {
            return;
        }
        // Nobody is there to be told.
        let Some(count) = self.pusher_count_at_ease(&route.name, tag, app).filter(|count| *count > 0) else { return };
        let _ = self.pusher_send(&route.name, (app, name), &frame::subscription_count(name, count), None, false);
    }

    /// A channel has another number of subscribers: webhooks are told.
    pub(super) fn pusher_hook_count(&self, of: (&Route, &AppConfig), name: &str) {
        if !of.1.wants(Kind::SubscriptionCount) {
            return;
        }
        let channel = named(of.0, of.1, name);
        if self.pusher.counting.begin(&channel) {
            self.pusher_count_for_webhooks(of, name, &channel);
        }
    }

    /// Counts until what is told last is true: if two threads did so, the older number might be told last.
    fn pusher_count_for_webhooks(&self, (route, app): (&Route, &AppConfig), name: &str, channel: &Named) {
        let counting = &self.pusher.counting;
        for round in 1.. {
            if let Some(count) = self.pusher_count_at_ease(&route.name, &channel.1, app) {
                self.pusher_hook_channel((route, app), name, ChannelEventKind::SubscriptionCount(count));
            }
            if !counting.end(channel) {
                return;
            }
            if round >= ROUNDS {
                counting.put_off(channel);
                if self.pusher.count_later(channel.clone()) || !counting.resume(channel) {
                    return;
                }
            }
        }
    }
}

fn named(route: &Route, app: &AppConfig, name: &str) -> Named {
    (route.name.clone(), channel::tag(&app.id, name).into())
}
