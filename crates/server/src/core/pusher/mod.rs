//! The Pusher protocol: an application that is written in Rust instead of PHP.
//!
//! Its threads take leases of the dispatcher as bells do, so what a client sends is handled by one thread at a time and in order, within the
//! same bounds and as fairly. They may wait for other servers, which a shard must not. `fws_pusher` says what is to be done; here it is done with
//! what the core has: channels are tags, their members are presence, and the last event of a cache channel is a history of one.
//!
//! * `connect` admits connections, and ends them;
//! * `act` carries out what a connection asks for, `subscribe` how it becomes a subscriber;
//! * `members` tells of those who join channels and leave them, `counts` how many have subscribed, `tell` tells PHP, where the route has a worker;
//! * `watchlist` tells users which others are online;
//! * `webhook` tells the servers of applications, and workers that are told the same;
//! * `call` is the HTTP API, `publish` the same for events from within.

mod act;
mod call;
mod connect;
mod counts;
mod members;
mod publish;
mod subscribe;
mod tell;
mod watchlist;
mod webhook;

pub use self::call::{HttpCall, Unread};
pub(crate) use self::members::is_followed;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_hub::command::SendTo;
use fws_hub::{Command, CommandError, Expression, Reply, Target};
use fws_pusher::{AppConfig, Error, channel};
use fws_session::Event;
use serde_json::json;

use super::{Caller, Core};
use crate::conn::Through;
use crate::dispatch::{Lease, LeaseEnd, PoolId, Source};
use crate::log::Level;
use crate::os::block_signals;
use crate::routes::Route;
use crate::shard::panicked;
use crate::stats::add;

/// A thread without work looks so often whether there is some: it is called when there is.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most threads. They are more than processors where they wait for other servers.
const MOST_THREADS: usize = 8;

/// The tag of all connections of an application. No channel has such a name.
fn everybody(app: &AppConfig) -> String {
    format!("{}:#connections", app.id)
}

/// The user that a connection is signed in as, among those of all applications.
fn user_name(app: &AppConfig, user: &str) -> String {
    format!("{}:{user}", app.id)
}

/// What a command that failed means to a client or a caller.
fn failed(error: CommandError, app: &AppConfig) -> Error {
    match error {
        CommandError::TooManyTags => Error::TooManyChannels(app.limits.channels),
        _ => Error::Unavailable,
    }
}

impl Core {
    /// Starts the threads, once there is a route that needs them.
    pub(super) fn start_pusher(&self) {
        let Some(core) = self.pusher.begin() else { return };
        if let Err(error) = start(&core) {
            self.log.write(
                Level::Error,
                "the Pusher protocol is not served: its threads could not be started",
                json!({ "error": error.to_string() }),
            );
        }
    }

    /// Takes leases as long as the process lives.
    fn serve_pusher(&self) {
        let mut lease = None;
        loop {
            let Some((pool, _)) = self.dispatch.own_pool() else { return };
            lease = self.next_own_lease(pool, lease);
            let Some(lease) = &mut lease else { continue };
            while !lease.is_over(Instant::now())
                && let Some(event) = self.next_of(lease)
            {
                add(&self.counters.events_delivered, 1);
                self.pusher_event(&lease.source, &event);
                add(&self.counters.events_acknowledged, 1);
                lease.handled.0 += 1;
                lease.handled.1 += event.weight();
            }
        }
    }

    fn next_own_lease(&self, pool: PoolId, lease: Option<Lease>) -> Option<Lease> {
        let mut after = LeaseEnd::default();
        let next = self.dispatch.exchange(pool, lease, Instant::now() + PATIENCE, &mut after);
        self.after_lease(after);
        next
    }

    fn pusher_event(&self, source: &Source, event: &Event) {
        match (source, event) {
            (Source::Conn(conn), Event::Open(opened)) => self.pusher_opened(conn, opened),
            (Source::Conn(conn), Event::Message { data, .. }) => self.pusher_message(conn, data),
            (Source::Conn(conn), Event::Close(_)) => {
                self.pusher_left(conn);
                self.through(conn, Through::Events);
            }
            (Source::Channel { .. }, Event::Join(membership)) => self.pusher_attendance(membership, true),
            (Source::Channel { .. }, Event::Leave(membership)) => self.pusher_attendance(membership, false),
            // No route of this protocol lets clients come back, and it has no timers.
            (_, Event::Suspend | Event::Resume(_) | Event::Timer(_)) => {}
            (Source::Conn(_) | Source::Timer { .. } | Source::Told { .. }, Event::Join(_) | Event::Leave(_))
            | (
                Source::Channel { .. } | Source::Timer { .. } | Source::Told { .. },
                Event::Open(_) | Event::Message { .. } | Event::Close(_),
            ) => {}
            // These are for PHP.
            (_, Event::Subscribe(_) | Event::Unsubscribe(_) | Event::ClientEvent(_) | Event::Channel(_)) => {}
        }
    }

    /// The route that a connection or a channel is of, if it still speaks this protocol.
    fn pusher_route(&self, name: &str) -> Option<Arc<Route>> {
        self.routes.read().current.get(name).filter(|route| route.apps.is_some()).cloned()
    }

    /// Sends a frame to the subscribers of a channel, on all servers. What is `kept` is the last event of a cache channel.
    fn pusher_send(&self, route: &str, to: (&AppConfig, &str), frame: &str, except: Option<&str>, kept: bool) -> Result<u64, CommandError> {
        match send(route, to, frame, except, kept, |command| self.ask(command))? {
            Reply::Queued(clients) => Ok(clients),
            _ => Ok(0),
        }
    }

    /// Sends a frame to the subscribers of a channel on this server.
    fn pusher_tell_here(&self, route: &str, to: (&AppConfig, &str), frame: &str, except: Option<&str>) {
        // Clients that are gone are told nothing.
        let _ = send(route, to, frame, except, false, |command| self.execute(command, Caller::default()));
    }
}

fn send(
    route: &str,
    (app, name): (&AppConfig, &str),
    frame: &str,
    except: Option<&str>,
    kept: bool,
    send: impl FnOnce(&Command<'_>) -> Result<Reply, CommandError>,
) -> Result<Reply, CommandError> {
    let tag = channel::tag(&app.id, name);
    let quoted;
    // What is sent to a tag expression is in no history.
    let to = match channel::Channel::parse(name, &app.limits) {
        Ok(channel) if channel.kind.cache && !kept => {
            quoted = Expression::quote(&tag);
            Target::Expression(&quoted)
        }
        Ok(_) | Err(_) => Target::Tag(&tag),
    };
    send(&Command::Send(SendTo { to, route: Some(route), except, binary: false, data: frame.as_bytes().into() }))
}

fn start(core: &Arc<Core>) -> io::Result<()> {
    let processors = std::thread::available_parallelism()?.get();
    let count = if core.is_clustered() { MOST_THREADS } else { processors.min(MOST_THREADS) };
    for number in 0..count {
        spawn(core, format!("fws-pusher-{number}"), Core::serve_pusher)?;
    }
    spawn(core, "fws-pusher-clock".to_owned(), Core::tick_pusher)
}

fn spawn(core: &Arc<Core>, name: String, run: impl Fn(&Core) + Send + 'static) -> io::Result<()> {
    let core = core.clone();
    std::thread::Builder::new().name(name).spawn(move || {
        let _ = block_signals();
        if catch_unwind(AssertUnwindSafe(|| run(&core))).is_err() {
            panicked();
        }
    })?;
    Ok(())
}
