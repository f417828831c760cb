//! The connections to Redis: made again and again, kept, and with them the lease of this server.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{ConnectionInfo, RedisResult};
use tokio::sync::mpsc::{Receiver as Queue, UnboundedReceiver};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::frame::{self, Kind};
use super::member::Became;
use super::members::{Restored, Settled};
use super::node::NodeId;
use super::outgoing::{Outbound, publish};
use super::reach::{Failure, look_at_server, place, reach, within, words};
use super::settings::moved;
use super::{Answer, Incoming, Node, Receiver, Records, Shared};

/// Between two attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Topics in one command.
const TOPICS: usize = 256;
/// How often ids that are claimed are claimed anew.
const RENEW: Duration = Duration::from_secs(1200);

/// How the link is.
#[derive(Debug)]
pub(super) struct Health {
    since: Instant,
    /// Why it is broken.
    why: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Health { since: Instant::now(), why: Some("it has not been reached yet".to_owned()) }
    }
}

impl Health {
    pub fn trouble(&self) -> Option<String> {
        let seconds = self.since.elapsed().as_secs();
        self.why.as_ref().map(|why| format!("the cluster's Redis server cannot be reached for {seconds} s: {why}"))
    }

    /// `true`: that is news.
    fn set(&mut self, why: Option<String>) -> bool {
        let news = self.why.is_some() != why.is_some();
        if news {
            self.since = Instant::now();
        }
        self.why = why;
        news
    }
}

/// Both connections: one for commands, one for what other servers send.
struct Link {
    connection: MultiplexedConnection,
    sink: PubSubSink,
    stream: PubSubStream,
    /// The others believed that this server was dead, or Redis has lost what it knew.
    anew: bool,
    /// The former.
    was_dead: bool,
}

/// Keeps the link for the life of the process.
pub(super) async fn keep(
    shared: &std::sync::Arc<Shared>,
    receiver: &dyn Receiver,
    mut queue: Queue<Outbound>,
    mut wishes: UnboundedReceiver<Box<str>>,
) {
    let (mut pause, mut elsewhere, mut registered, mut told) = (PAUSE.0, None, false, false);
    loop {
        let begun = Instant::now();
        // All that is wanted is subscribed to anew.
        while wishes.try_recv().is_ok() {}
        let why = match connect(shared, elsewhere.take(), &mut registered).await {
            Ok(link) => match up(shared, receiver, &link).await {
                Ok(()) => {
                    let why = serve(shared, receiver, link, &mut queue, &mut wishes).await;
                    down(shared, receiver, &mut queue, &why);
                    why
                }
                Err(error) => error.category().to_owned(),
            },
            Err(Failure::Moved(info)) => {
                elsewhere = Some(info);
                continue;
            }
            Err(Failure::Other(why)) => why,
        };
        let never = !*shared.connected_once.0.lock();
        if never && !std::mem::replace(&mut told, true) {
            // What is lost later is told where it is lost.
            receiver.disconnected(&why);
        }
        shared.health.lock().set(Some(why));
        pause = if begun.elapsed() > PAUSE.1 { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
        // Not all servers at the same moment.
        sleep(pause.mul_f64(0.5 + f64::from(jitter()) / 512.0)).await;
    }
}

fn jitter() -> u8 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

/// Connects, subscribes, and registers this server.
async fn connect(shared: &Shared, elsewhere: Option<Box<ConnectionInfo>>, registered: &mut bool) -> Result<Link, Failure> {
    let limit = shared.settings.timeout.max(Duration::from_secs(1));
    let info = match elsewhere {
        Some(info) => *info,
        None => place(shared, limit).await?,
    };
    let (info, client, mut connection) = reach(shared, info, limit).await?;
    look_at_server(shared, &info, &mut connection, limit).await;
    let (mut sink, stream) = within(limit, client.get_async_pubsub()).await?.split();
    let own = [shared.settings.key("n", shared.node.bytes()), shared.settings.key("n", b"")];
    within(limit, sink.subscribe(&own[..])).await?;
    for topics in shared.topics.all_anew().chunks(TOPICS) {
        let channels: Vec<Vec<u8>> = topics.iter().map(|topic| shared.settings.key("t", topic.as_bytes())).collect();
        within(limit, sink.subscribe(&channels[..])).await?;
        topics.iter().for_each(|topic| shared.topics.is_ready(topic));
    }
    // Only now, so that who sees this server reaches it.
    let lease = match timeout(limit, renew(shared, &mut connection)).await {
        Ok(Ok(lease)) => lease,
        Ok(Err(error)) => {
            return Err(match error.redirect_node().and_then(|(address, _)| address.rsplit_once(':')) {
                Some((host, port)) => Failure::Moved(Box::new(moved(&info, host, port.parse().unwrap_or(6379)))),
                None => words(&error),
            });
        }
        Err(_) => return Err(Failure::Other("it did not answer within the timeout".to_owned())),
    };
    // Before the first time nobody can have known it.
    let anew = *registered && !lease.was_alive;
    // Where Redis has forgotten all, nobody was told that this server is dead.
    let was_dead = !shared.is_born_again(&lease.born) && anew;
    *registered = true;
    shared.see(&lease);
    Ok(Link { connection, sink, stream, anew, was_dead })
}

/// What Redis knows of the servers.
struct Lease {
    /// The others did not believe that this one was dead.
    was_alive: bool,
    /// Another one after Redis has lost what it knew.
    born: String,
    others: Vec<Node>,
    dead: Vec<NodeId>,
}

/// Says that this server is alive. The clock is that of Redis: those of the servers may differ.
///
/// `nodes` has each server with the time at which it was heard of last, `labels` what it says of itself.
const LEASE: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local oldest = now - ARGV[3]
local others = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. oldest, '+inf')) do
  if node ~= ARGV[1] then
    others[#others + 1] = node
    others[#others + 1] = redis.call('HGET', KEYS[2], node) or ''
  end
end
local alive = 0
if before and tonumber(before) > oldest then alive = 1 end
redis.call('SETNX', KEYS[3], ARGV[4])
return {alive, redis.call('GET', KEYS[3]), others, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', oldest)}
";

async fn renew(shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<Lease> {
    let settings = &shared.settings;
    let chance = NodeId::random().map(|chance| chance.to_string()).unwrap_or_default();
    let (alive, born, others, dead): (u8, String, Vec<String>, Vec<String>) = shared
        .script(LEASE)
        .key(settings.key("nodes", b""))
        .key(settings.key("labels", b""))
        .key(settings.key("born", b""))
        .arg(shared.node.as_str())
        .arg(&settings.label)
        .arg(settings.lease.as_millis() as u64)
        .arg(chance)
        .invoke_async(connection)
        .await?;
    let others =
        others.chunks_exact(2).filter_map(|pair| Some(Node { id: pair[0].parse().ok()?, label: pair[1].as_str().into() })).collect();
    let dead = dead.iter().filter_map(|node| node.parse().ok()).collect();
    Ok(Lease { was_alive: alive == 1, born, others, dead })
}

impl Shared {
    /// Whether Redis has lost what it knew since the last time.
    fn is_born_again(&self, born: &str) -> bool {
        let mut last = self.born.lock();
        let again = last.as_deref().is_some_and(|last| last != born);
        *last = Some(born.to_owned());
        if again {
            self.missed.note(self.nodes.read().iter().map(|node| node.id).collect());
        }
        again
    }

    fn see(&self, lease: &Lease) {
        let alive: Vec<NodeId> = lease.others.iter().map(|node| node.id).collect();
        self.absent.keep(&alive);
        let mut nodes = self.nodes.write();
        if **nodes != lease.others[..] {
            *nodes = lease.others.clone().into();
        }
    }
}

/// The link is there: callers may use it.
async fn up(shared: &Shared, receiver: &dyn Receiver, link: &Link) -> RedisResult<()> {
    let mut connection = link.connection.clone();
    // What Redis may have forgotten, or others may have taken, before anybody asks for it.
    shared.claims.settle(shared, &mut connection).await?;
    shared.members.take_back(shared, &mut connection).await?;
    let settled = shared.members.settle(shared, &mut connection, link.was_dead).await?;
    let renewed = async {
        let lost = shared.claims.renew(shared, &mut connection).await?;
        Ok((lost, shared.members.restore(shared, &mut connection).await?))
    };
    let (lost, Restored { back, come }) = match renewed.await {
        Ok(renewed) => renewed,
        Err(error) => {
            shared.members.put_back(settled);
            return Err(error);
        }
    };
    *shared.linked_at.lock() = Some(Instant::now());
    *shared.connection.write() = Some(link.connection.clone());
    shared.counts.connects.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if !lost.is_empty() {
        receiver.lost(lost);
    }
    if link.was_dead && !back.is_empty() {
        receiver.entered(back);
    }
    // There is no `await` since the connection can be used: so nothing that is told from now on is told before this.
    tell_late(receiver, settled);
    tell_late(receiver, Settled { come, left: Vec::new() });
    receiver.connected(link.anew);
    // Last: who waits for the link finds all of it done.
    shared.health.lock().set(None);
    *shared.connected_once.0.lock() = true;
    shared.connected_once.1.notify_all();
    Ok(())
}

/// What has happened while Redis was away.
fn tell_late(receiver: &dyn Receiver, Settled { come, left }: Settled) {
    if !come.is_empty() || !left.is_empty() {
        receiver.late(come, left);
    }
}

fn down(shared: &Shared, receiver: &dyn Receiver, queue: &mut Queue<Outbound>, why: &str) {
    *shared.connection.write() = None;
    let lost = shared.outgoing.clear(queue);
    shared.counts.lost.fetch_add(lost as u64, std::sync::atomic::Ordering::Relaxed);
    shared.questions.fail_all();
    if shared.health.lock().set(Some(why.to_owned())) {
        receiver.disconnected(why);
    }
}

/// Does all there is to do on a link, until it breaks; why it did.
async fn serve(
    shared: &std::sync::Arc<Shared>,
    receiver: &dyn Receiver,
    link: Link,
    queue: &mut Queue<Outbound>,
    wishes: &mut UnboundedReceiver<Box<str>>,
) -> String {
    let Link { connection, mut sink, mut stream, was_dead, .. } = link;
    let mut outgoing = connection.clone();
    tokio::select! {
        why = publish(shared, &mut outgoing, queue) => why,
        why = listen(shared, receiver, &mut stream) => why,
        why = subscribe(shared, &mut sink, wishes) => why,
        why = look_after(shared, receiver, connection, was_dead) => why,
    }
}

/// Hands over what other servers send.
async fn listen(shared: &std::sync::Arc<Shared>, receiver: &dyn Receiver, stream: &mut PubSubStream) -> String {
    while let Some(message) = stream.next().await {
        shared.counts.received.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        hear(shared, receiver, message.get_payload_bytes());
    }
    "the connection for what other servers send was closed".to_owned()
}

fn hear(shared: &std::sync::Arc<Shared>, receiver: &dyn Receiver, bytes: &[u8]) {
    let own = shared.settings.version;
    let frame = match frame::decode(bytes, own) {
        Ok(frame) => frame,
        Err(foreign) => {
            shared.counts.foreign.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if let Some(frame::Foreign { asks: Some((from, number)), version }) = foreign {
                let why = format!("a server speaks version {own} of what servers of a cluster say to each other, not {version}");
                shared.answer(Kind::Refusal, from, number, why.as_bytes());
            }
            return;
        }
    };
    if frame.from == shared.node && !matches!(frame.kind, Kind::Tell | Kind::Record | Kind::Attendance) {
        return; // what is for all comes here, too
    }
    shared.absent.note(frame.from, true);
    match frame.kind {
        Kind::Answer => shared.questions.answered(frame.number, frame.from, frame.payload.to_vec()),
        Kind::Refusal => shared.questions.refused(frame.number, &String::from_utf8_lossy(frame.payload)),
        Kind::Record => {
            if let Some((epoch, recorded)) = Records::split(frame.payload) {
                receiver.recorded(epoch, recorded);
            }
        }
        Kind::Attendance => {
            if let Some((became, member)) = Became::read(frame.payload) {
                receiver.attended(became, member);
            }
        }
        Kind::Tell | Kind::Ask => {
            let answer = (frame.kind == Kind::Ask).then(|| {
                let (shared, to, number) = (shared.clone(), frame.from, frame.number);
                Answer::new(move |payload| shared.answer(Kind::Answer, to, number, payload))
            });
            let number = if answer.is_none() { frame.number } else { 0 };
            receiver.incoming(Incoming { from: frame.from, payload: frame.payload.to_vec(), number, answer });
        }
    }
}

/// Subscribes to topics and unsubscribes from them.
async fn subscribe(shared: &Shared, sink: &mut PubSubSink, wishes: &mut UnboundedReceiver<Box<str>>) -> String {
    let mut batch = Vec::new();
    loop {
        if wishes.recv_many(&mut batch, TOPICS).await == 0 {
            return "the server ends".to_owned();
        }
        let channel = |topic: &str| shared.settings.key("t", topic.as_bytes());
        let (on, off): (Vec<_>, Vec<_>) = batch.drain(..).partition(|topic| shared.topics.is_wanted(topic));
        let (on_channels, off_channels): (Vec<_>, Vec<_>) =
            (on.iter().map(|topic| channel(topic)).collect(), off.iter().map(|topic| channel(topic)).collect());
        let done = async {
            if !off_channels.is_empty() {
                sink.unsubscribe(&off_channels[..]).await?;
            }
            if !on_channels.is_empty() {
                sink.subscribe(&on_channels[..]).await?;
            }
            Ok(())
        };
        if let Err(Failure::Other(why)) = within(shared.settings.timeout, done).await {
            // The next link subscribes to all that is wanted.
            return why;
        }
        on.iter().for_each(|topic| shared.topics.is_ready(topic));
    }
}

/// Renews the lease, and cleans up after servers that are dead.
async fn look_after(shared: &Shared, receiver: &dyn Receiver, mut connection: MultiplexedConnection, was_dead: bool) -> String {
    // Redis was away for so long that this server seemed dead to it. So do the others that it was away for: they are given the time to come back.
    let patient_until = Instant::now() + if was_dead { shared.settings.lease } else { Duration::ZERO };
    let mut ticks = interval(shared.settings.lease / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    loop {
        ticks.tick().await;
        let dead = match look(shared, receiver, &mut connection, &mut renewed).await {
            ControlFlow::Continue(dead) => dead,
            ControlFlow::Break(why) => return why,
        };
        if Instant::now() < patient_until {
            continue;
        }
        if let Err(error) = bury(shared, receiver, &mut connection, dead).await {
            return error.category().to_owned();
        }
    }
}

/// Finds out which of the others have no connection at the moment.
async fn look_for_others(shared: &Shared, connection: &mut MultiplexedConnection) {
    let nodes: Vec<NodeId> = shared.nodes.read().iter().map(|node| node.id).collect();
    if nodes.is_empty() {
        return;
    }
    let channels: Vec<Vec<u8>> = nodes.iter().map(|node| shared.settings.key("n", node.bytes())).collect();
    let mut command = redis::cmd("PUBSUB");
    command.arg("NUMSUB").arg(&channels);
    if let Ok(counted) = shared.in_time(command.query_async::<Vec<(Vec<u8>, u64)>>(connection)).await {
        nodes.iter().zip(counted).for_each(|(node, (_, count))| shared.absent.note(*node, count > 0));
    }
}

/// Has those leave their channels who were on servers that are dead.
async fn bury(shared: &Shared, receiver: &dyn Receiver, connection: &mut MultiplexedConnection, dead: Vec<NodeId>) -> RedisResult<()> {
    for node in dead {
        let mut more = true;
        while more {
            let vacated;
            (more, vacated) = shared.members.reap(shared, connection, node).await?;
            if !vacated.is_empty() {
                receiver.vacated(vacated);
            }
        }
    }
    Ok(())
}

/// Renews the lease; which servers are dead.
async fn look(
    shared: &Shared,
    receiver: &dyn Receiver,
    connection: &mut MultiplexedConnection,
    renewed: &mut Instant,
) -> ControlFlow<String, Vec<NodeId>> {
    let lease = match within(shared.settings.timeout, renew(shared, connection)).await {
        Ok(lease) => lease,
        Err(Failure::Moved(_)) => return ControlFlow::Break("the keys have moved".to_owned()),
        Err(Failure::Other(why)) => return ControlFlow::Break(why),
    };
    let born_again = shared.is_born_again(&lease.born);
    shared.see(&lease);
    look_for_others(shared, connection).await;
    let settled = async {
        shared.claims.settle(shared, connection).await?;
        shared.members.settle(shared, connection, !lease.was_alive && !born_again).await
    };
    match settled.await {
        Ok(settled) => tell_late(receiver, settled),
        Err(error) => return ControlFlow::Break(error.category().to_owned()),
    }
    if !lease.was_alive || renewed.elapsed() > RENEW {
        *renewed = Instant::now();
        match shared.claims.renew(shared, connection).await {
            Ok(lost) if !lost.is_empty() => receiver.lost(lost),
            Ok(_) => {}
            Err(error) => return ControlFlow::Break(error.category().to_owned()),
        }
    }
    if !lease.was_alive {
        match shared.members.restore(shared, connection).await {
            Ok(Restored { back, come }) => {
                if !back.is_empty() && !born_again {
                    receiver.entered(back);
                }
                tell_late(receiver, Settled { come, left: Vec::new() });
            }
            Err(error) => return ControlFlow::Break(error.category().to_owned()),
        }
        receiver.connected(true);
    }
    if let Err(error) = shared.members.reassure(shared, connection).await {
        return ControlFlow::Break(error.category().to_owned());
    }
    ControlFlow::Continue(lease.dead)
}
