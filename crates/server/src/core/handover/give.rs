//! The server that a client leaves.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use fws_engine::NodeId;
use fws_hub::{Belongings, Held, Hub, Key, Position};

use super::departed::Gone;
use super::words::{Handed, Parcel, Wanted, Who};
use crate::clock;
use crate::conn::Conn;
use crate::core::Core;
use crate::core::resume::what_is_sent;
use crate::resume::{Marks, NotResumed, Visit};
use crate::shard::{Op, Packed};
use crate::stats::add;

/// For so long, milliseconds, the user of a client that has gone to another server is believed to be there, until that server has said so.
const ON_THE_WAY: u64 = 3_000;

/// A channel with a history that the client is in, locked, and how far its members have been sent it.
type Followed<'a> = (Arc<str>, Held<'a>, Option<Position>);

impl Core {
    /// Gives a client to another server that it has come to, if it is the one that it says it is.
    pub(crate) fn hand(&self, to: NodeId, wanted: &Wanted) -> Handed {
        self.try_to_hand(to, wanted).unwrap_or_else(|no| *no)
    }

    fn try_to_hand(&self, to: NodeId, wanted: &Wanted) -> Result<Handed, Box<Handed>> {
        let no = |why| Box::new(Handed::No(why));
        // Looked at first, so that it has not come in between.
        let on_its_way = self.departed.is_bringing(&wanted.secret, wanted.given_for.as_ref());
        let conn = match self.wanted_client(wanted) {
            Some(conn) => conn,
            None if on_its_way => return Ok(Handed::Later),
            None => return Err(self.gone_elsewhere(wanted)),
        };
        // First, so that it does not end meanwhile.
        let visit = Visit::new(conn).ok_or_else(|| no(NotResumed::Unknown))?;
        let conn = visit.conn();
        let resume = conn.resume.as_ref().filter(|_| *conn.route_name == *wanted.route).ok_or_else(|| no(NotResumed::Unknown))?;
        resume.find(&wanted.secret, wanted.received).map_err(no)?;
        let alike = *conn.subprotocol() == *wanted.subprotocol
            && what_is_sent(conn.compression.map(|own| own.params)) == wanted.compression
            && resume.bound == wanted.bound;
        if !alike {
            return Err(no(NotResumed::Different));
        }
        // Where it is not here any more, it may have gone to another server just now.
        if !self.make_wait(conn) {
            return Err(self.gone_elsewhere(wanted));
        }
        // What it has sent is handled here before anything that it sends there.
        if self.has_events_of(conn) {
            return Ok(Handed::Later);
        }
        let followed = self.followed_by(conn);
        let still = self.order.still();
        let mut hub = self.hub.write();
        if hub.live_handle(conn.key).is_none() || conn.is_dismissed() {
            return Err(self.gone_elsewhere(wanted));
        }
        if self.has_events_of(conn) {
            return Ok(Handed::Later);
        }
        match self.listen(&hub, conn) {
            Handed::Listen { stamp, .. } if wanted.stamp.is_some_and(|told| self.is_answered(stamp, told)) => {}
            other => return Ok(other),
        }
        resume.mark(&wanted.secret).ok_or_else(|| no(NotResumed::Unknown))?;
        hub.set_time(self.presences.alarm.now());
        let belongings = hub.depart(conn.key, ON_THE_WAY).ok_or_else(|| no(NotResumed::Unknown))?;
        self.departed.add(&belongings.id, conn.key, to, wanted.secret);
        if conn.give_up_id() {
            self.engine.let_go(&belongings.id);
        }
        let (reply, packed) = channel();
        // While the registry is locked: whoever gets its place is posted behind this.
        self.shard(conn.key).post(Op::Pack { key: conn.key, reply });
        self.tell_changes(hub);
        let heard = self.numbers();
        drop(still);
        let positions = followed.into_iter().filter_map(|(tag, _, at)| Some((tag, at?.into()))).collect();
        self.shard(conn.key).wake();
        self.underway.add(conn.clone(), wanted.secret, to);
        let packed = clock::receive(&packed).map_err(|_| no(NotResumed::Unknown))?;
        add(&self.counters.sessions_given, 1);
        let connected_at = conn.describe().connected_at;
        Ok(Handed::Client(Box::new(parcel(
            belongings,
            packed,
            resume.marks(),
            Past { place: (conn.key.index, conn.key.generation), positions, heard, connected_at },
        ))))
    }

    pub(super) fn wanted_client(&self, wanted: &Wanted) -> Option<Arc<Conn>> {
        let hub = self.hub.read();
        let knows = |conn: &&Arc<Conn>| conn.resume.as_ref().is_some_and(|resume| resume.mark(&wanted.secret).is_some());
        let by_id = |id: &str| hub.client(id).filter(|(.., live)| *live).map(|(conn, ..)| conn.clone());
        match &wanted.who {
            Who::Place(index, generation) => {
                let key = Key { index: *index, generation: *generation };
                // It may have gone from there and come back.
                hub.live_handle(key).cloned().or_else(|| by_id(&self.departed.session(key)?.id))
            }
            // It may have another id since it came here.
            Who::Id(id) => {
                let came = self.departed.came(id).and_then(|key| hub.live_handle(key)).filter(knows);
                came.cloned().or_else(|| by_id(id))
            }
        }
    }

    pub(super) fn gone_elsewhere(&self, wanted: &Wanted) -> Box<Handed> {
        let gone = match &wanted.who {
            Who::Place(index, generation) => self.departed.session(Key { index: *index, generation: *generation }),
            Who::Id(id) => {
                let later = || self.departed.session(self.departed.came(id)?);
                self.departed.gone(id).or_else(later)
            }
        };
        Box::new(match gone {
            Some(Gone { to, id, shown }) => Handed::Elsewhere { node: to.to_string().into(), id, shown },
            None => Handed::No(NotResumed::Unknown),
        })
    }

    /// Whether PHP has not handled all that a client has sent.
    fn has_events_of(&self, conn: &Conn) -> bool {
        #[cfg(feature = "simulation")]
        if crate::simulation::has(crate::simulation::Flaw::EventsLeftBehind) {
            return false;
        }
        self.dispatch.has_events_of(conn.key)
    }

    /// Has a client that has come to another server without a connection here. `false`: it has ended.
    fn make_wait(&self, conn: &Arc<Conn>) -> bool {
        let (reply, waits) = channel();
        self.post(conn.key, Op::Suspend { key: conn.key, reply });
        clock::receive(&waits).unwrap_or(false)
    }

    /// What the other server has to listen to before it gets a client. The stamp has a half that stands for it, and a half that is the time.
    fn listen(&self, hub: &Hub<Arc<Conn>>, conn: &Conn) -> Handed {
        let id = conn.id();
        let mut tags = hub.client(&id).map(|(_, tags, _)| tags.to_vec()).unwrap_or_default();
        tags.sort_unstable();
        let user = hub.user(&id).map(|user| user.name.clone());
        let mut hasher = DefaultHasher::new();
        (&tags, &user).hash(&mut hasher);
        let now = clock::since(self.started).as_millis() as u32;
        Handed::Listen { tags, user, stamp: hasher.finish() << 32 | u64::from(now) }
    }

    /// Whether the other server listens to what it was told, and certainly still waits for the client: it has asked after it was told that, and
    /// waits for the whole timeout. A client that is given to nobody would have lost its session.
    fn is_answered(&self, stamp: u64, told: u64) -> bool {
        let age = (stamp as u32).wrapping_sub(told as u32);
        stamp >> 32 == told >> 32 && Duration::from_millis(age.into()) <= self.engine.timeout() / 2
    }

    /// The channels with a history that a client is in, locked: so none of their messages is being sent to it.
    fn followed_by(&self, conn: &Conn) -> Vec<Followed<'_>> {
        if self.engine.recorder().is_none() || self.routes.read().with_channels.is_empty() {
            return Vec::new();
        }
        let mut tags = self.hub.read().client(&conn.id()).map(|(_, tags, _)| tags.to_vec()).unwrap_or_default();
        // Several are locked at a time, so all who do that lock them in the same order.
        tags.sort_unstable();
        let lock = |tag: Arc<str>| {
            let &(route, _) = self.policies(&tag, Some(&conn.route_name)).first()?;
            let held = self.histories.hold(route, &tag);
            let at = held.followed(self.stays.of(&tag));
            Some((tag, held, at))
        };
        tags.into_iter().filter_map(lock).collect()
    }

    /// Up to which numbers messages to groups have been carried out here. To be called while all is still.
    fn numbers(&self) -> Vec<(Box<str>, u64)> {
        let own = self.engine.node().map(|own| (own, self.engine.told()));
        self.order.numbers().into_iter().chain(own).map(|(node, number)| (node.to_string().into(), number)).collect()
    }
}

struct Past {
    place: (u32, u32),
    positions: Vec<(Arc<str>, super::words::Spot)>,
    heard: Vec<(Box<str>, u64)>,
    connected_at: u64,
}

fn parcel(belongings: Belongings, packed: Packed, marks: Marks, past: Past) -> Parcel {
    let Belongings { id, tags, user, members, information } = belongings;
    let Packed { luggage, missed } = packed;
    let Past { place, positions, heard, connected_at } = past;
    Parcel {
        place,
        id,
        tags,
        user: user.map(|user| (user.name.clone(), user.info.clone())),
        members: members.into_iter().map(|(tag, user)| (tag, user.name.clone(), user.info.clone())).collect(),
        information: information.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        positions,
        frames: luggage.frames.iter().map(|frame| (frame.as_bytes().to_vec(), frame.is_compressed())).collect(),
        missed: missed.into_iter().map(|missed| (missed.binary, missed.data)).collect(),
        arrived: luggage.progress.arrived,
        received: luggage.progress.received,
        ping_interval: luggage.ping_interval,
        marks,
        connected_at,
        heard,
    }
}
