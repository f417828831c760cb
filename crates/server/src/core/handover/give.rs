//! The server that a client leaves.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::mpsc::channel;

use fws_engine::NodeId;
use fws_hub::{Belongings, Held, Hub, Key, Position};

use super::words::{Handed, Parcel, Wanted, Who};
use crate::conn::Conn;
use crate::core::Core;
use crate::core::resume::what_is_sent;
use crate::resume::{Mark, NotResumed, Visit};
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
        let conn = self.wanted_client(&wanted.who).ok_or_else(|| self.gone_elsewhere(&wanted.who))?;
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
        if !self.make_wait(conn) {
            return Err(no(NotResumed::Unknown));
        }
        // What it has sent is handled here before anything that it sends there.
        if self.dispatch.has_events_of(conn.key) {
            return Ok(Handed::Later);
        }
        let followed = self.followed_by(conn);
        let still = self.order.still();
        let mut hub = self.hub.write();
        if hub.live_handle(conn.key).is_none() || conn.is_dismissed() {
            return Err(no(NotResumed::Unknown));
        }
        if self.dispatch.has_events_of(conn.key) {
            return Ok(Handed::Later);
        }
        let listen = listen(&hub, conn);
        match listen {
            Handed::Listen { stamp, .. } if wanted.stamp == Some(stamp) => {}
            Handed::Listen { ref tags, user: None, .. } if tags.is_empty() => {}
            other => return Ok(other),
        }
        let mark = resume.mark(&wanted.secret).ok_or_else(|| no(NotResumed::Unknown))?;
        hub.set_time(self.presences.alarm.now());
        let belongings = hub.depart(conn.key, ON_THE_WAY).ok_or_else(|| no(NotResumed::Unknown))?;
        self.departed.add(&belongings.id, conn.key, to);
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
        let packed = packed.recv().map_err(|_| no(NotResumed::Unknown))?;
        add(&self.counters.sessions_given, 1);
        let connected_at = conn.describe().connected_at;
        Ok(Handed::Client(Box::new(parcel(belongings, packed, mark, Past { positions, heard, connected_at }))))
    }

    pub(super) fn wanted_client(&self, who: &Who) -> Option<Arc<Conn>> {
        let hub = self.hub.read();
        let by_id = |id: &str| hub.client(id).filter(|(.., live)| *live).map(|(conn, ..)| conn.clone());
        match who {
            Who::Place(index, generation) => {
                let key = Key { index: *index, generation: *generation };
                // It may have gone from there and come back.
                hub.live_handle(key).cloned().or_else(|| by_id(&self.departed.session(key)?.1))
            }
            Who::Id(id) => by_id(id),
        }
    }

    pub(super) fn gone_elsewhere(&self, who: &Who) -> Box<Handed> {
        let gone = match who {
            Who::Place(index, generation) => self.departed.session(Key { index: *index, generation: *generation }),
            Who::Id(id) => self.departed.to(id).map(|node| (node, id.clone())),
        };
        Box::new(match gone {
            Some((node, id)) => Handed::Elsewhere { node: node.to_string().into(), id },
            None => Handed::No(NotResumed::Unknown),
        })
    }

    /// Has a client that has come to another server without a connection here. `false`: it has ended.
    fn make_wait(&self, conn: &Arc<Conn>) -> bool {
        let (reply, waits) = channel();
        self.post(conn.key, Op::Suspend { key: conn.key, reply });
        waits.recv().unwrap_or(false)
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

/// What the other server has to listen to before it gets a client.
fn listen(hub: &Hub<Arc<Conn>>, conn: &Conn) -> Handed {
    let id = conn.id();
    let mut tags = hub.client(&id).map(|(_, tags, _)| tags.to_vec()).unwrap_or_default();
    tags.sort_unstable();
    let user = hub.user(&id).map(|user| user.name.clone());
    let mut hasher = DefaultHasher::new();
    (&tags, &user).hash(&mut hasher);
    Handed::Listen { tags, user, stamp: hasher.finish() }
}

struct Past {
    positions: Vec<(Arc<str>, super::words::Spot)>,
    heard: Vec<(Box<str>, u64)>,
    connected_at: u64,
}

fn parcel(belongings: Belongings, packed: Packed, mark: Mark, past: Past) -> Parcel {
    let Belongings { id, tags, user, information } = belongings;
    let Packed { luggage, missed } = packed;
    let Past { positions, heard, connected_at } = past;
    Parcel {
        id,
        tags,
        user: user.map(|user| (user.name.clone(), user.info.clone())),
        information: information.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        positions,
        frames: luggage.frames.iter().map(|frame| (frame.as_bytes().to_vec(), frame.is_compressed())).collect(),
        missed: missed.into_iter().map(|missed| (missed.binary, missed.data)).collect(),
        arrived: luggage.progress.arrived,
        received: luggage.progress.received,
        ping_interval: luggage.ping_interval,
        mark,
        connected_at,
        heard,
    }
}
