//! Users come and go on several servers while Redis is cut off, stopped, emptied, and brought back with old data. Once all is quiet everybody knows the
//! same: Redis, every server, every client by what it was told of channels and of its watchlist, and the application by its webhooks.
//!
//! Half of the worlds have a time of grace. In half of them Redis loses nothing: only there the application is told of each user once.
//!
//! `FWS_CHURN` says how many rounds are played, and the seed, so that more of them can be played than in a run of all tests: `FWS_CHURN=50:7`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use fws_server::Core;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::common::redis::{Redis, is_connected};
use super::peer::{PATIENCE, Peer, call, inner, routes};
use super::webhooks::listener;

/// For so long everything has been right before it is believed.
const QUIET: Duration = Duration::from_millis(500);
const SERVERS: usize = 3;
const USERS: u64 = 6;
const CHANNELS: [&str; 2] = ["presence-x", "presence-cache-y"];

/// Numbers by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn of<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len() as u64) as usize]
    }
}

/// A client that keeps lists as pusher-js does.
struct Client {
    peer: Peer,
    server: usize,
    user: String,
    /// The channels that it has subscribed to, and the users in each as far as it was told.
    lists: BTreeMap<&'static str, Option<BTreeSet<String>>>,
    /// Who is online, as far as it was told, if it has a watchlist.
    online: Option<BTreeSet<String>>,
    /// So many answers of the server are awaited behind what it was told about a cache channel.
    pongs: usize,
    told: Vec<String>,
}

impl Client {
    fn new(core: &Core, server: usize, user: String) -> Client {
        let peer = Peer::new(core);
        peer.socket.get_ref().set_nonblocking(true).expect("a socket");
        Client { peer, server, user, lists: BTreeMap::new(), online: None, pongs: 0, told: Vec::new() }
    }

    /// Signs in, and wants to know of all users who is online.
    fn watch(&mut self) {
        let all: Vec<String> = (0..USERS).map(|user| format!("u{user}")).collect();
        self.peer.wish_to_watch(&self.user, &all.iter().map(String::as_str).collect::<Vec<_>>());
        self.online = Some(BTreeSet::new());
    }

    fn toggle(&mut self, channel: &'static str) {
        if self.awaits_an_answer_that_may_be_no(channel) {
            return;
        }
        if self.lists.remove(channel).is_some() {
            self.told.push(format!("leaves {channel}"));
            self.peer.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": channel } }));
            if channel.contains("cache") {
                self.peer.say(&json!({ "event": "pusher:ping", "data": {} }));
                self.pongs += 1;
            }
        } else {
            self.told.push(format!("joins {channel}"));
            self.peer.wish_to_join(channel, &self.user);
            self.lists.insert(channel, None);
        }
    }

    /// The last event of a cache channel is asked for in Redis. Which subscription the answer was for, the client could not say if there was another one.
    fn awaits_an_answer_that_may_be_no(&self, channel: &str) -> bool {
        channel.contains("cache") && (self.pongs > 0 || matches!(self.lists.get(channel), Some(None)))
    }

    /// Reads what there is.
    fn read(&mut self) {
        loop {
            match self.peer.socket.read() {
                Ok(Message::Text(text)) => self.hear(&serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return,
                other => panic!("{other:?} for {}", self.user),
            }
        }
    }

    fn hear(&mut self, event: &Value) {
        let name = event["event"].as_str().expect("text");
        self.told.push(event.to_string());
        if name == "pusher:pong" {
            self.pongs -= 1;
            return;
        }
        if let ("pusher_internal:watchlist_events", Some(online)) = (name, &mut self.online) {
            for event in inner(event)["events"].as_array().expect("events") {
                for user in event["user_ids"].as_array().expect("ids").iter().map(|id| id.as_str().expect("text")) {
                    if event["name"] == "online" {
                        online.insert(user.to_owned())
                    } else {
                        online.remove(user)
                    };
                }
            }
            return;
        }
        let Some((channel, list)) = event["channel"].as_str().and_then(|channel| Some((channel, self.lists.get_mut(channel)?))) else {
            return;
        };
        let user = || inner(event)["user_id"].as_str().expect("text").to_owned();
        match (name, list) {
            ("pusher_internal:subscription_succeeded", list) => {
                let data = inner(event);
                let ids = data["presence"]["ids"].as_array().expect("ids").iter();
                *list = Some(ids.map(|id| id.as_str().expect("text").to_owned()).collect());
            }
            ("pusher_internal:member_added", Some(list)) => drop(list.insert(user())),
            ("pusher_internal:member_removed", Some(list)) => drop(list.remove(&user())),
            // Of the subscription before this one.
            ("pusher_internal:member_added" | "pusher_internal:member_removed", None) => {}
            ("pusher:cache_miss", _) => {}
            ("pusher:subscription_error", None) if channel.contains("cache") => drop(self.lists.remove(channel)),
            _ => panic!("{event}"),
        }
    }
}

struct World {
    chance: Chance,
    redis: Redis,
    /// Each with its own way to Redis.
    servers: Vec<(Arc<Core>, PathBuf)>,
    routes: String,
    generation: u64,
    clients: Vec<Client>,
    /// Redis loses nothing.
    lossless: bool,
    hooks: Receiver<Value>,
    /// By channel and user, how often the application was told that the user has come, without those times that it was told that the user has left.
    balance: BTreeMap<(String, String), i64>,
    /// What was done.
    deeds: String,
}

/// What the way of a server to Redis is called.
fn way_of(number: usize) -> String {
    format!("way {number}")
}

impl World {
    fn new(seed: u64) -> World {
        let redis = Redis::start();
        let (url, hooks) = listener(&[]);
        let grace = if seed.is_multiple_of(2) { 1 } else { 200_000_000 };
        let routes =
            routes(&json!({ "presence_grace": grace, "webhooks": [{ "url": url, "events": ["member_added", "member_removed"] }] }));
        let start = |number: usize| {
            let way = redis.way(&way_of(number));
            (redis.server_by(&way, &routes, Duration::from_secs(1)), way)
        };
        let servers = (0..SERVERS).map(start).collect();
        let lossless = (seed / 2).is_multiple_of(2);
        let (chance, clients, balance, deeds) = (Chance(seed), Vec::new(), BTreeMap::new(), String::new());
        World { chance, redis, servers, routes, generation: 1, clients, lossless, hooks, balance, deeds }
    }

    fn note(&mut self, deed: &str) {
        writeln!(self.deeds, "{deed}").expect("memory");
    }

    /// One thing that clients do.
    fn live(&mut self) {
        let kind = self.chance.below(10);
        if self.clients.len() < 4 || (kind < 2 && self.clients.len() < 15) {
            let (server, user) = (self.chance.below(SERVERS as u64) as usize, format!("u{}", self.chance.below(USERS)));
            let mut client = Client::new(&self.servers[server].0, server, user);
            let channel = *self.chance.of(&CHANNELS);
            client.toggle(channel);
            if self.chance.below(3) == 0 {
                client.watch();
            }
            self.note(&format!("{} comes to {server} as {}, to {channel}", client.peer.id, client.user));
            self.clients.push(client);
            return;
        }
        let which = self.chance.below(self.clients.len() as u64) as usize;
        if kind < 4 {
            let client = self.clients.swap_remove(which);
            self.note(&format!("{} of {} goes, {}", client.peer.id, client.server, client.user));
            return;
        }
        let channel = *self.chance.of(&CHANNELS);
        self.clients[which].toggle(channel);
        if self.chance.below(3) == 0 {
            self.clients[which].toggle(channel);
        }
        let Client { peer, server, user, .. } = &self.clients[which];
        let deed = format!("{} of {server} joins or leaves {channel}, {user}", peer.id);
        self.note(&deed);
    }

    /// One thing that goes wrong.
    fn fail(&mut self, round: u64) {
        if self.lossless {
            // Of a change that is on its way then nobody knows whether Redis has made it.
            self.becomes_quiet(round, QUIET / 5);
        }
        match self.chance.below(10) {
            0 => {
                self.note("connections are cut");
                self.redis.drop_connections();
            }
            1 => {
                self.note("connections for what others send are cut");
                self.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            }
            2 => {
                self.note("Redis does not answer for a while");
                let time = (100 + self.chance.below(if self.lossless { 400 } else { 1500 })).to_string();
                self.redis.cli(&["CLIENT", "PAUSE", &time]);
            }
            3 => {
                self.note("Redis saves");
                self.redis.cli(&["SAVE"]);
            }
            4 if self.lossless => {}
            4 => {
                self.note("Redis is emptied");
                self.redis.cli(&["FLUSHALL"]);
            }
            5 | 6 => {
                self.note("Redis ends, and comes back with what it has saved");
                if self.lossless {
                    self.redis.cli(&["SHUTDOWN", "SAVE"]);
                }
                self.redis.kill();
                self.some_life();
                self.redis.restart();
            }
            7 => {
                let which = self.chance.below(SERVERS as u64) as usize;
                self.note(&format!("server {which} is cut off"));
                std::fs::remove_file(&self.servers[which].1).expect("it is there");
                self.redis.drop_connections();
                // The lease ends, or does not.
                let until = Instant::now() + Duration::from_millis(self.chance.below(3500));
                while Instant::now() < until {
                    self.some_life();
                }
                self.redis.way(&way_of(which));
                self.note("it is there again");
            }
            8 => {
                let which = self.chance.below(SERVERS as u64) as usize;
                self.drain(which);
            }
            _ => {
                self.note("all reload");
                self.reload();
            }
        }
    }

    /// A server is about to end, and goes on after all.
    fn drain(&mut self, which: usize) {
        self.note(&format!("server {which} is about to end, and goes on"));
        let (gone, others) = std::mem::take(&mut self.clients).into_iter().partition(|client| client.server == which);
        self.clients = others;
        let gone: Vec<Client> = gone;
        let readers = gone.into_iter().map(|mut client| {
            client.peer.socket.get_ref().set_nonblocking(false).expect("a socket");
            std::thread::spawn(move || while client.peer.socket.read().is_ok() {})
        });
        let readers: Vec<_> = readers.collect();
        self.servers[which].0.drain(PATIENCE);
        readers.into_iter().for_each(|reader| reader.join().expect("it ends"));
        std::thread::sleep(Duration::from_millis(self.chance.below(500)));
        self.reload();
    }

    fn reload(&mut self) {
        self.generation += 1;
        for (core, _) in &self.servers {
            core.stage(self.generation, self.routes.as_bytes()).expect("legal");
            core.commit(self.generation).expect("staged");
        }
    }

    fn some_life(&mut self) {
        for _ in 0..self.chance.below(8) {
            self.live();
            for client in &mut self.clients {
                client.read();
            }
        }
        // What is done is done at other moments of what the servers do in another run.
        std::thread::sleep(Duration::from_millis(self.chance.below(40)));
    }

    /// Who is in a channel.
    fn truth(&self, channel: &str) -> BTreeSet<String> {
        let there = self.clients.iter().filter(|client| client.lists.contains_key(channel));
        there.map(|client| client.user.clone()).collect()
    }

    /// What is wrong. `None`: nothing.
    fn wrong(&mut self) -> Option<String> {
        if let Some(number) = self.servers.iter().position(|(core, _)| !is_connected(core)) {
            return Some(format!("server {number} is not connected"));
        }
        let online: BTreeSet<String> =
            self.clients.iter().filter(|client| client.online.is_some()).map(|client| client.user.clone()).collect();
        for client in &mut self.clients {
            client.read();
            if client.online.as_ref().is_some_and(|known| *known != online) {
                let (id, server, known, told) = (&client.peer.id, client.server, &client.online, client.told.join("\n  "));
                return Some(format!("{id} of server {server} knows that {known:?} are online, and {online:?} are; it was told\n  {told}"));
            }
        }
        for hook in self.hooks.try_iter() {
            let text = |name: &str| hook[name].as_str().expect("text").to_owned();
            let change = if hook["name"] == "member_added" { 1 } else { -1 };
            *self.balance.entry((text("channel"), text("user_id"))).or_default() += change;
            writeln!(self.deeds, "    the application is told {hook}").expect("memory");
        }
        for channel in CHANNELS {
            let truth = self.truth(channel);
            for user in (0..USERS).map(|user| format!("u{user}")) {
                let (there, of) = (truth.contains(&user), (channel.to_owned(), user));
                let balance = self.balance.get(&of).copied().unwrap_or_default();
                if self.lossless && balance != i64::from(there) {
                    return Some(format!(
                        "the application was told {balance} times more often that {of:?} has come than gone; is it there: {there}"
                    ));
                }
            }
            for client in &mut self.clients {
                client.read();
                if let Some(list) = client.lists.get(channel)
                    && list.as_ref() != Some(&truth)
                {
                    let (id, server, told) = (&client.peer.id, client.server, client.told.join("\n  "));
                    let known = call(&self.servers[server].0, "GET", &format!("/apps/1/channels/{channel}/users"), "", "").1;
                    return Some(format!(
                        "{id} of server {server} has {list:?} of {channel}, and there are {truth:?}, and {known} in Redis; it was told\n  {told}"
                    ));
                }
            }
            for (number, (core, _)) in self.servers.iter().enumerate() {
                let (status, answer) = call(core, "GET", &format!("/apps/1/channels/{channel}/users"), "", "");
                let users = answer["users"].as_array().map(|users| users.iter().filter_map(|user| user["id"].as_str()).collect::<Vec<_>>());
                if !users.is_some_and(|users| truth.iter().eq(users)) {
                    return Some(format!("server {number} answers {status} {answer} about {channel}, and there are {truth:?}"));
                }
            }
        }
        None
    }

    /// Waits until nothing is wrong, and stays so: what users have done may be on its way still.
    fn becomes_quiet(&mut self, round: u64, quiet: Duration) {
        // On a busy machine, and behind several faults, that takes longer than what one client waits for.
        let (until, mut right_since) = (Instant::now() + 3 * PATIENCE, None);
        loop {
            let wrong = self.wrong();
            let now = Instant::now();
            match wrong {
                Some(wrong) => {
                    assert!(now < until, "round {round}: {wrong}\n{}", self.deeds);
                    right_since = None;
                }
                None if now - *right_since.get_or_insert(now) > quiet => return,
                None => {}
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn whatever_becomes_of_redis_everybody_knows_in_the_end_who_is_there() {
    let played = std::env::var("FWS_CHURN").unwrap_or_else(|_| format!("4:{}", std::process::id()));
    let (rounds, seed) = played.split_once(':').expect("rounds:seed");
    let (rounds, seed): (u64, u64) = (rounds.parse().expect("a number"), seed.parse().expect("a number"));
    let mut world = World::new(seed);
    for round in 0..rounds {
        for _ in 0..3 + world.chance.below(8) {
            world.some_life();
            if world.chance.below(2) == 0 {
                world.fail(round);
            }
        }
        world.becomes_quiet(round, QUIET);
        world.deeds.clear();
        world.clients.iter_mut().for_each(|client| client.told.clear());
    }
}
