//! Configurations come and go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use fws_hub::RouteId;
use serde_json::json;

use super::Core;
use crate::clock;
use crate::conn::Through;
use crate::dispatch::{Served, Serving};
use crate::log::Level;
use crate::routes::{ConfigError, Route, Routes, RoutesConfig, Stale};
use crate::shard::Op;
use crate::stats::add;

/// What [`Core::drain`] could not wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Connections whose clients have not answered the close frame.
    pub connections: u64,
    /// Connections that have ended, and whose last events are not handled.
    pub unhandled: u64,
}

impl Core {
    /// Reads and keeps a generation of routes, to be committed later. Its workers may have timers from now on: they start before it is
    /// committed, and what they do at their start may set some.
    pub fn stage(&self, generation: u64, json: &[u8]) -> Result<(), ConfigError> {
        let config = RoutesConfig::parse(json)?;
        let mut routes = self.routes.write();
        routes.staged.insert(generation, config);
        self.assign_workers(&routes);
        Ok(())
    }

    /// Puts a staged generation in force, and forgets all older ones.
    pub fn commit(&self, generation: u64) -> Result<(), Stale> {
        let mut routes = self.routes.write();
        if routes.committed.is_some_and(|committed| committed >= generation) {
            return if routes.committed == Some(generation) { Ok(()) } else { Err(Stale) };
        }
        let config = routes.staged.get(&generation).cloned().ok_or(Stale)?;
        routes.staged.retain(|&staged, _| staged > generation);
        routes.committed = Some(generation);
        if self.draining.swap(false, Ordering::AcqRel) {
            self.engine.go_on();
            self.webhooks.go_on();
        }
        self.put_in_force(&mut routes, &config);
        Ok(())
    }

    /// A generation ends. If it is the committed one the newest staged one takes its place; without one all connections are closed.
    pub fn withdraw(&self, generation: u64) -> Result<(), Stale> {
        let successor = {
            let mut routes = self.routes.write();
            if routes.committed != Some(generation) {
                routes.staged.remove(&generation);
                self.assign_workers(&routes);
                return Ok(());
            }
            match routes.staged.keys().next_back().copied() {
                Some(successor) => successor,
                None => {
                    routes.committed = None;
                    self.put_in_force(&mut routes, &RoutesConfig::default());
                    return Ok(());
                }
            }
        };
        self.commit(successor)
    }

    fn put_in_force(&self, routes: &mut Routes, config: &RoutesConfig) {
        let mut hub = self.hub.write();
        let mut current = std::collections::HashMap::new();
        let mut workers = Vec::new();
        name_workers(&mut workers, config.worker_names());
        let mut serving = Serving::default();
        for route in &config.routes {
            let id = hub.route(&route.name);
            let name = hub.route_name(id).clone();
            let quota = routes.quota.entry(name.clone()).or_default().clone();
            let live = hub.handles_on(id).filter_map(|conn| conn.address());
            quota.count_connections(route.max_connections_per_ip.is_some(), live);
            let route = Route::new(route, id, name.clone(), quota, |subprotocol| routes.branch(id, subprotocol));
            serving.branches.extend(route.branches.iter().filter_map(|branch| Some((branch.id, route.served(branch.worker.as_ref())?))));
            if let Some(by) = route.served(route.worker.as_ref().or(route.branches.iter().find_map(|branch| branch.worker.as_ref()))) {
                serving.channels.insert(id, by);
            }
            if let (Some(_), Some(worker)) = (&route.apps, &route.worker) {
                serving.told.insert(id, Served::Worker(worker.clone()));
            }
            current.insert(name, Arc::new(route));
        }
        let in_force: Vec<RouteId> = current.values().map(|route| route.id).collect();
        hub.put_in_force(&in_force);
        drop(hub);
        let removed: Vec<RouteId> = routes.current.values().filter(|old| !current.contains_key(&old.name)).map(|old| old.id).collect();
        routes.with_channels = current.values().filter(|route| !route.channels.is_empty()).cloned().collect();
        routes.with_channels.sort_unstable_by_key(|route| route.id);
        routes.current = current;
        routes.workers = workers;
        routes.serving = serving;
        // Before the shards know: what they queue from then on must have somewhere to go.
        self.assign_workers(routes);
        // And before clients join what has become a channel.
        for route in routes.current.values() {
            self.settle_presence(route.id, route.channels.clone());
        }
        for &route in &removed {
            self.settle_presence(route, Arc::default());
        }
        self.histories.reconcile(|id, tag| {
            let route = routes.with_channels.iter().find(|route| route.id == id)?;
            route.channel(tag)?.history
        });
        if routes.current.values().any(|route| route.apps.is_some()) {
            self.start_pusher();
        }
        self.webhooks.keep(routes.current.values().filter_map(|route| route.apps.as_ref()).flat_map(|apps| apps.iter()));
        self.pusher.reload();
        for shard in &self.shards {
            for route in routes.current.values() {
                shard.post(Op::Configure(route.clone()));
            }
            for &route in &removed {
                shard.post(Op::CloseRoute { route: Some(route) });
            }
            shard.wake();
        }
    }

    /// Tells the dispatcher which workers there are: those in force and those of generations to come. Timers of others are cleared.
    fn assign_workers(&self, routes: &Routes) {
        let mut workers = routes.workers.clone();
        name_workers(&mut workers, routes.staged.values().flat_map(RoutesConfig::worker_names));
        let orphans = self.dispatch.configure(&routes.serving, &workers);
        let timers = self.timers.retain_workers(|worker| workers.iter().any(|known| **known == *worker));
        self.orphaned(orphans);
        if timers > 0 {
            add(&self.counters.timers_dropped, timers as u64);
        }
        // At the end of the server they go as all does.
        if timers > 0 && !self.is_draining() {
            self.log.write(Level::Warn, "timers were cleared: their worker is gone", json!({ "timers": timers }));
        }
    }

    /// Ends all connections: what their clients have sent is handled first, for which at most half of `timeout` is given; then they are
    /// closed with 1001, and it is waited until they are gone and their close events handled, and webhooks told. What is left after `timeout`.
    pub fn drain(&self, timeout: Duration) -> Left {
        let now = clock::now();
        let until = now + timeout;
        self.draining.store(true, Ordering::Release);
        self.webhooks.hurry(until);
        self.hush(now + timeout / 2);
        // Nobody leaves a channel because the server ends.
        let present: Vec<RouteId> = self.routes.read().with_channels.iter().map(|route| route.id).collect();
        present.into_iter().for_each(|route| self.settle_presence(route, Arc::default()));
        for shard in &self.shards {
            shard.post(Op::CloseRoute { route: None });
            shard.wake();
        }
        let mut guard = self.empty.0.lock();
        loop {
            if self.hub.read().is_empty() || clock::wait_until(&self.empty.1, &mut guard, until) {
                break;
            }
        }
        drop(guard);
        let untold = self.webhooks.drain(until);
        if untold > 0 {
            let text = "webhooks were not told of events: their servers did not take them before this one ended";
            self.log.write(Level::Warn, text, json!({ "events": untold }));
        }
        self.left()
    }

    /// Has no connection read any more, and waits until what was read of them is handled, or until `until`. What PHP has not begun by then
    /// is dropped when the connections are closed, and counted.
    fn hush(&self, until: Instant) {
        let (done, quiet) = mpsc::channel();
        for shard in &self.shards {
            shard.post(Op::Hush { done: done.clone() });
            shard.wake();
        }
        drop(done);
        // The end of the channel: each shard has dropped its half. Where that takes too long nothing else is waited for either.
        if clock::receive_until(&quiet, until) == Err(RecvTimeoutError::Disconnected) {
            self.dispatch.wait_calm(until);
        }
    }

    fn left(&self) -> Left {
        let mut left = Left::default();
        for conn in self.hub.read().known_handles() {
            if !conn.is_through(Through::Frames) {
                left.connections += 1;
            } else if !conn.is_through(Through::Events) {
                left.unhandled += 1;
            }
            // Else only the client's end of the TCP connection is waited for, of which nobody need hear.
        }
        left
    }
}

/// Adds workers that are not named yet.
fn name_workers<'a>(workers: &mut Vec<Arc<str>>, names: impl Iterator<Item = &'a str>) {
    for name in names {
        if !workers.iter().any(|known| **known == *name) {
            workers.push(name.into());
        }
    }
}
