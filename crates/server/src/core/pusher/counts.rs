//! How many have subscribed to a channel: its subscribers are told some time after that has changed.

use fws_pusher::{AppConfig, channel, frame};

use super::super::Core;
use crate::pusher::Named;
use crate::routes::Route;

impl Core {
    /// A channel has another number of subscribers.
    pub(super) fn pusher_counts(&self, (route, app): (&Route, &AppConfig), name: &str) {
        if app.subscription_count && !self.is_draining() {
            self.pusher.count_later((route.name.clone(), channel::tag(&app.id, name).into()));
        }
    }

    /// Tells the subscribers of channels how many they are, on all servers.
    pub(super) fn pusher_tell_counts(&self, channels: &[Named]) {
        for (route, tag) in channels {
            let Some(route) = self.pusher_route(route) else { continue };
            let Some((app, name)) = channel::of_tag(tag) else { continue };
            let Some(app) = route.apps.as_ref().and_then(|apps| apps.of_id(app)).filter(|app| app.subscription_count) else { continue };
            // Nobody is there to be told.
            let Some(count) = self.pusher_count_at_ease(&route.name, tag, app).filter(|count| *count > 0) else { continue };
            let _ = self.pusher_send(&route.name, (app, name), &frame::subscription_count(name, count), None, false);
        }
    }
}
