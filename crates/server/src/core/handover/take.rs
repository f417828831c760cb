//! The server that a client comes to.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use fws_engine::{NodeId, Topic, Watching};
use fws_hub::command::{InChannel, Kill, Tag};
use fws_hub::{Command, InitialState, Key, Outcome, Position};
use fws_session::{Compression, Frame, Luggage, Progress};

use super::order::{Listening, Told};
use super::words::{Handed, InParcel, Parcel, Wanted, Who};
use crate::clock;
use crate::conn::{Conn, Request};
use crate::core::resume::{Afar, bound, what_is_sent};
use crate::core::{Caller, Core, Post};
use crate::dispatch::BranchId;
use crate::quota::Reservation;
use crate::resume::{NotResumed, Resume};
use crate::routes::Route;
use crate::servers::message;
use crate::shard::{Arrived, Missed, Op};
use crate::stats::add;

/// How long it is until another server is asked once more.
const AGAIN: Duration = Duration::from_millis(5);
/// The most servers that a client is looked for on, one after the other.
const HOPS: usize = 8;

/// Why a client did not get its session from another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBrought {
    /// It gets a new one.
    No(NotResumed),
    /// It may still be there, so the client should come again.
    ComeAgain,
}

impl From<NotResumed> for NotBrought {
    fn from(why: NotResumed) -> NotBrought {
        NotBrought::No(why)
    }
}

/// What is known of a client that is about to come.
pub(crate) struct Arriving {
    pub route: Arc<Route>,
    pub branch: BranchId,
    pub compression: Option<Compression>,
    pub request: Request,
    pub reservation: Option<Reservation>,
    pub named: Option<Arc<str>>,
    pub user: Box<str>,
}

/// Messages to groups are listened to although perhaps no client here is in them.
struct Watched<'a> {
    core: &'a Core,
    tags: Vec<Arc<str>>,
    user: Option<Arc<str>>,
}

impl<'a> Watched<'a> {
    fn begin(core: &'a Core, tags: Vec<Arc<str>>, user: Option<Arc<str>>) -> Watched<'a> {
        let watched = Watched { core, tags, user };
        let waiting: Vec<Watching> = watched.topics().filter_map(|topic| core.engine.watch(topic)).collect();
        waiting.into_iter().for_each(Watching::wait);
        watched
    }

    fn topics(&self) -> impl Iterator<Item = Topic<'_>> {
        self.tags.iter().map(|tag| Topic::Tag(tag)).chain(self.user.iter().map(|user| Topic::User(user)))
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.topics().for_each(|topic| self.core.engine.unwatch(topic));
    }
}

impl Core {
    /// Brings the session of a client here from the server that has it. Waits for other servers.
    pub(crate) fn bring(&self, afar: &Afar, arriving: Arriving) -> Result<Key, NotBrought> {
        let listening = self.order.listen();
        let bringing = self.departed.bring(afar.secret);
        let mut wanted = Wanted {
            who: afar.who.clone(),
            secret: afar.secret,
            received: afar.received,
            route: (*arriving.route.name).into(),
            subprotocol: arriving.request.subprotocol.clone(),
            compression: what_is_sent(arriving.compression.map(|own| own.params)),
            bound: bound(arriving.named.as_ref(), &arriving.user),
            stamp: None,
            given_for: afar.given_for,
        };
        let (mut node, mut watched, mut hops) = (afar.node, None, Vec::new());
        let until = clock::now() + self.engine.timeout();
        let parcel = loop {
            // Looked at first, so that the other one has not come here in between.
            let several = bringing.are_several(wanted.given_for.as_ref());
            let handed = match self.engine.node() {
                Some(own) if own == node => match self.wanted_client(&wanted) {
                    // It has come here by another connection.
                    Some(conn) => return Ok(conn.key),
                    // It is about to: another connection of it has asked for the session as well.
                    None if several => Handed::Later,
                    None => *self.gone_elsewhere(&wanted),
                },
                _ => self.ask_for(node, &wanted)?,
            };
            match handed {
                Handed::No(why) => return Err(why.into()),
                Handed::Elsewhere { node: other, id, shown } => {
                    node = other.parse().map_err(|()| NotBrought::ComeAgain)?;
                    wanted.given_for = Some(shown);
                    wanted.who = Who::Id(id);
                    wanted.stamp = None;
                    hops.push(node);
                }
                Handed::Later => clock::sleep(AGAIN),
                Handed::Listen { tags, user, stamp } => {
                    watched = Some(Watched::begin(self, tags, user));
                    wanted.stamp = Some(stamp);
                }
                Handed::Client(parcel) => break *parcel,
            }
            if hops.len() > HOPS && is_a_circle(&hops) {
                // It was lost on the way between two of them.
                add(&self.counters.resumes_lost, 1);
                return Err(NotResumed::Unknown.into());
            }
            if hops.len() > HOPS || clock::now() > until {
                return Err(NotBrought::ComeAgain);
            }
        };
        let key = self.receive(node, parcel, arriving, &listening);
        drop(watched);
        key.ok_or(NotResumed::Unknown.into())
    }

    fn ask_for(&self, node: NodeId, wanted: &Wanted) -> Result<Handed, NotBrought> {
        match self.engine.ask_server(node, &message::want(wanted)) {
            Ok(Some(answer)) => message::handed(&answer).ok_or(NotBrought::ComeAgain),
            // The server is gone, and the session with it; or it cannot be reached at this moment.
            Ok(None) if self.engine.is_alive(node) => Err(NotBrought::ComeAgain),
            Ok(None) => Err(NotResumed::Unknown.into()),
            Err(_) => Err(NotBrought::ComeAgain),
        }
    }

    /// Enters a client that another server has given. `None`: it cannot be, and its session is lost.
    fn receive(&self, from: NodeId, mut parcel: Parcel, arriving: Arriving, listening: &Listening<'_>) -> Option<Key> {
        let (id, (index, generation)) = (parcel.id.clone(), parcel.place);
        self.departed.expect(&id);
        let positions = std::mem::take(&mut parcel.positions);
        let apart: Vec<Arc<str>> = self.with_history(&arriving.route, &mut parcel.tags);
        let members: Vec<_> = parcel.members.iter().filter(|(tag, ..)| apart.contains(tag)).cloned().collect();
        let key = if self.engine.take_claim(&id, from) { self.install(parcel, arriving, listening) } else { None };
        self.departed.expect_no_more(&id);
        match key {
            Some(key) => {
                // From now on PHP is told here what becomes of it.
                self.departed.has_arrived(from, Key { index, generation });
                if self.follow(&id, &apart, &members, &positions) {
                    add(&self.counters.sessions_taken, 1);
                    return Some(key);
                }
                let _ = self.execute(&Command::Kill(Kill { id: &id }), Caller::default());
                #[cfg(feature = "simulation")]
                if crate::simulation::has(crate::simulation::Flaw::EndedOnArrival) {
                    self.departed.has_not_arrived(from, Key { index, generation });
                }
            }
            None => self.engine.release(&id),
        }
        add(&self.counters.resumes_lost, 1);
        None
    }

    /// Takes the tags out that are channels with a history here.
    fn with_history(&self, route: &Route, tags: &mut Vec<Arc<str>>) -> Vec<Arc<str>> {
        if self.engine.recorder().is_none() {
            return Vec::new();
        }
        tags.extract_if(.., |tag| !self.policies(tag, Some(&route.name)).is_empty()).collect()
    }

    /// Brings a client into its channels, and sends it what was recorded on its way. `false`: that is not possible now.
    fn follow(&self, id: &str, tags: &[Arc<str>], members: &[InParcel], positions: &[(Arc<str>, super::words::Spot)]) -> bool {
        tags.iter().all(|tag| {
            let since = positions.iter().find(|(of, _)| of == tag).map(|(_, at)| Position::from(*at).to_string());
            let member = members.iter().find(|(of, ..)| of == tag).map(|(_, user, info)| InChannel { user, info: info[..].into() });
            self.execute(&Command::Tag(Tag { id, tag, since: since.as_deref(), member }), Caller::default()).is_ok()
        })
    }

    /// Enters a client, in the order of what servers have sent.
    fn install(&self, parcel: Parcel, arriving: Arriving, listening: &Listening<'_>) -> Option<Key> {
        // What servers have sent before the client was given away is carried out first. What was carried out here, and is news to the client, it is
        // sent again.
        let (task, carried_out) = channel::<()>();
        self.engine.in_order(Box::new(move || drop(task)));
        let _ = clock::receive(&carried_out);
        let still = self.order.still();
        let (heard, id) = (parcel.heard.clone(), parcel.id.clone());
        let key = self.enter_arrived(parcel, arriving)?;
        self.departed.has_come(&id, key);
        match listening.since() {
            Some(told) => told.iter().filter(|told| told.is_news(&heard)).for_each(|told| self.send_again(key, told)),
            // It would miss some.
            None => self.shard(key).post(Op::Kill { key }),
        }
        self.shard(key).wake();
        drop(still);
        Some(key)
    }

    /// Sends a client a message to a group that was carried out before it came.
    fn send_again(&self, key: Key, told: &Told) {
        let Some(Command::Send(message)) = message::command(&told.message) else { return };
        let conn = {
            let hub = self.hub.read();
            match message.is_for(&hub, key) {
                Ok(true) => hub.live_handle(key).cloned(),
                Ok(false) | Err(_) => None,
            }
        };
        let Some(conn) = conn else { return };
        let mut post = Post::new(self, &message, None);
        let frame = Frame::message(message.binary, &message.data);
        if post.reserve(&conn, frame.len()) == Outcome::Queued {
            self.shard(key).post(Op::Send { key, frame });
        }
        let _ = post.finish();
    }

    fn enter_arrived(&self, parcel: Parcel, arriving: Arriving) -> Option<Key> {
        let Arriving { route, branch, compression, request, reservation, named, user } = arriving;
        let Parcel {
            id, tags, user: of, members, information, frames, missed, arrived, received, ping_interval, marks, connected_at, ..
        } = parcel;
        let mut initial = InitialState::default();
        tags.iter().for_each(|tag| drop(initial.tag(tag)));
        members.iter().for_each(|(tag, name, info)| drop(initial.member(tag, name, info)));
        information.iter().for_each(|(key, value)| drop(initial.set(key, value)));
        if let Some((name, info)) = of {
            let _ = initial.user(&name, &info);
        }
        let resume = Resume::new(bound(named.as_ref(), &user), self.engine.node(), self.kept.clone(), marks);
        let routes = self.routes.read();
        let route = routes.current.get(&route.name).cloned().filter(|route| route.serves(branch) && !self.is_draining())?;
        let mut made = None;
        let mut hub = self.hub.write();
        let key = hub.register(id.clone(), route.id, |key| {
            let mut conn = Conn::new(key, id, &route, branch, request);
            conn.compression = compression;
            conn.resume = Some(Box::new(resume));
            conn.traffic.opened(connected_at);
            made.insert(Arc::new(conn)).clone()
        })?;
        let conn = made.expect("bug: the registry gave a key without making the handle");
        // It is about to have a connection, so nobody gives up a place for it.
        let place = self.suspended.lock().enter(conn.peer().owner, 1, key);
        if let Some(resume) = &conn.resume {
            resume.set_suspended(Some(place));
        }
        hub.furnish(key, initial);
        let frames: Vec<Frame> = frames.into_iter().map(|(bytes, compressed)| Frame::of_bytes(bytes, compressed)).collect();
        let progress = Progress { arrived, sent: arrived + frames.len() as u64, received, lost: false };
        if let Some(resume) = &conn.resume {
            resume.publish(progress);
        }
        let now = clock::unix_millis();
        let luggage = Luggage { frames, progress, ping_interval };
        let missed: Vec<Missed> = missed.into_iter().map(|(binary, data)| Missed { binary, data }).collect();
        let age = now.saturating_sub(connected_at);
        self.shard(key).post(Op::Arrive(Box::new(Arrived { conn, route, luggage, missed, age })));
        if let Some(reservation) = reservation {
            reservation.adopted();
        }
        self.tell_changes(hub);
        Some(key)
    }
}

/// Whether servers send who asks them to each other all the time.
fn is_a_circle(hops: &[NodeId]) -> bool {
    let mut different = hops.to_vec();
    different.sort_unstable();
    different.dedup();
    different.len() <= hops.len() / 2
}

impl Told {
    /// Whether a client has not got it that has got what servers have sent up to these numbers.
    fn is_news(&self, heard: &[(Box<str>, u64)]) -> bool {
        let from = self.from.as_str();
        let last = heard.iter().find(|(node, _)| **node == *from).map(|(_, number)| *number);
        self.number.is_none_or(|number| last.is_none_or(|last| number > last))
    }
}
