//! Events that are published from within: by PHP, the command line, the admin API.

use std::sync::Arc;

use fws_hub::command::Publish;
use fws_hub::{ClusterError, CommandError, Reply};
use fws_pusher::Error;
use fws_pusher::api::Event;

use super::super::Core;
use crate::routes::Route;

impl Core {
    /// Sends an event to channels, on each route that has the application.
    pub(in crate::core) fn publish(&self, command: &Publish<'_>) -> Result<Reply, CommandError> {
        let (routes, id) = self.pusher_routes_of(command.app)?;
        let mut clients = 0;
        for route in &routes {
            let Some(app) = route.apps.as_ref().and_then(|apps| apps.of_id(&id)) else { continue };
            let channels = command.channels.iter().map(|name| (*name).to_owned()).collect();
            let event = Event::new(command.event, command.data, channels, command.except, &app.limits).map_err(refused)?;
            clients += self.pusher_publish(route, app, &event).map_err(refused)?;
        }
        Ok(Reply::Queued(clients))
    }

    /// The routes of an application, in the order of their names, and its id.
    fn pusher_routes_of(&self, app: Option<&str>) -> Result<(Vec<Arc<Route>>, String), CommandError> {
        let mut routes: Vec<Arc<Route>> = self.routes.read().current.values().filter(|route| route.apps.is_some()).cloned().collect();
        routes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let mut ids: Vec<String> =
            routes.iter().filter_map(|route| route.apps.as_ref()).flat_map(|apps| apps.iter()).map(|app| app.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let id = match (app, &ids[..]) {
            (_, []) => return Err(CommandError::NoApp),
            (Some(id), all) if all.iter().any(|known| known == id) => id.to_owned(),
            (Some(_), _) => return Err(CommandError::NoApp),
            (None, [only]) => only.clone(),
            (None, [_, _, ..]) => return Err(CommandError::SeveralApps),
        };
        Ok((routes, id))
    }
}

fn refused(error: Error) -> CommandError {
    match error {
        Error::Unavailable => ClusterError::Unavailable.into(),
        other => CommandError::InvalidEvent(other.to_string().into()),
    }
}
