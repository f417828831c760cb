//! Users come and go on several servers while Redis is cut off, stopped, emptied, and brought back with old data. Once all is quiet everybody knows the
//! same: Redis, every server, and every client by what it was told.
//!
//! `FWS_CHURN` says how many rounds are played, and the seed, so that more of them can be played than in a run of all tests: `FWS_CHURN=50:7`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_server::Core;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::common::redis::{Redis, is_connected};
use super::peer::{PATIENCE, Peer, call, inner, routes};

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
    told: Vec<String>,
}

impl Client {
    fn new(core: &Core, server: usize, user: String) -> Client {
        let peer = Peer::new(core);
        peer.socket.get_ref().set_nonblocking(true).expect("a socket");
        Client { peer, server, user, lists: BTreeMap::new(), told: Vec::new() }
    }

    fn toggle(&mut self, channel: &'static str) {
        if self.awaits_an_answer_that_may_be_no(channel) {
            return;
        }
        if self.lists.remove(channel).is_some() {
            self.told.push(format!("leaves {channel}"));
            self.peer.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": channel } }));
        } else {
            self.told.push(format!("joins {channel}"));
            self.peer.wish_to_join(channel, &self.user);
            self.lists.insert(channel, None);
        }
    }

    /// The last event of a cache channel is asked for in Redis. Which subscription the answer was for, the client could not say if there was another one.
    fn awaits_an_answer_that_may_be_no(&self, channel: &str) -> bool {
        channel.contains("cache") && matches!(self.lists.get(channel), Some(None))
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
    generation: u64,
    clients: Vec<Client>,
    /// What was done.
    deeds: String,
}

impl World {
    fn new(seed: u64) -> World {
        let redis = Redis::start();
        let routes = routes(&json!({}));
        let start = |number: usize| {
            let way = redis.folder.join(format!("way {number}"));
            std::os::unix::fs::symlink(redis.folder.join("s"), &way).expect("a link");
            (redis.server_by(&way, &routes, Duration::from_secs(1)), way)
        };
        let servers = (0..SERVERS).map(start).collect();
        World { chance: Chance(seed), redis, servers, generation: 1, clients: Vec::new(), deeds: String::new() }
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
            self.note(&format!("{} comes to {server} as {}, to {channel}", client.peer.id, client.user));
            self.clients.push(client);
            return;
        }
        let which = self.chance.below(self.clients.len() as u64) as usize;
        if kind < 4 {
            let client = self.clients.swap_remove(which);
            self.note(&format!("{} goes", client.peer.id));
            return;
        }
        let channel = *self.chance.of(&CHANNELS);
        self.clients[which].toggle(channel);
        if self.chance.below(3) == 0 {
            self.clients[which].toggle(channel);
        }
        let id = self.clients[which].peer.id.clone();
        self.note(&format!("{id} joins or leaves {channel}"));
    }

    /// One thing that goes wrong.
    fn fail(&mut self) {
        match self.chance.below(9) {
            0 => {
                self.note("connections are cut");
                self.cut();
            }
            1 => {
                self.note("connections for what others send are cut");
                self.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            }
            2 => {
                self.note("Redis does not answer for a while");
                let time = (100 + self.chance.below(1500)).to_string();
                self.redis.cli(&["CLIENT", "PAUSE", &time]);
            }
            3 => {
                self.note("Redis saves");
                self.redis.cli(&["SAVE"]);
            }
            4 => {
                self.note("Redis is emptied");
                self.redis.cli(&["FLUSHALL"]);
            }
            5 | 6 => {
                self.note("Redis ends, and comes back with what it has saved");
                self.redis.kill();
                self.some_life();
                self.redis.restart();
            }
            7 => {
                let which = self.chance.below(SERVERS as u64) as usize;
                self.note(&format!("server {which} is cut off"));
                std::fs::remove_file(&self.servers[which].1).expect("it is there");
                self.cut();
                // The lease ends, or does not.
                let until = Instant::now() + Duration::from_millis(self.chance.below(3500));
                while Instant::now() < until {
                    self.some_life();
                }
                std::os::unix::fs::symlink(self.redis.folder.join("s"), &self.servers[which].1).expect("a link");
                self.note("it is there again");
            }
            _ => {
                self.note("all reload");
                self.generation += 1;
                for (core, _) in &self.servers {
                    core.stage(self.generation, routes(&json!({})).as_bytes()).expect("legal");
                    core.commit(self.generation).expect("staged");
                }
            }
        }
    }

    fn cut(&self) {
        self.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        self.redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
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
        for channel in CHANNELS {
            let truth = self.truth(channel);
            for client in &mut self.clients {
                client.read();
                if let Some(list) = client.lists.get(channel)
                    && list.as_ref() != Some(&truth)
                {
                    let (id, server, told) = (&client.peer.id, client.server, client.told.join("\n  "));
                    return Some(format!(
                        "{id} of server {server} has {list:?} of {channel}, and there are {truth:?}; it was told\n  {told}"
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
    fn becomes_quiet(&mut self, round: u64) {
        let (until, mut right_since) = (Instant::now() + PATIENCE, None);
        loop {
            let wrong = self.wrong();
            let now = Instant::now();
            match wrong {
                Some(wrong) => {
                    assert!(now < until, "round {round}: {wrong}\n{}", self.deeds);
                    right_since = None;
                }
                None if now - *right_since.get_or_insert(now) > QUIET => return,
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
                world.fail();
            }
        }
        world.becomes_quiet(round);
        world.deeds.clear();
        world.clients.iter_mut().for_each(|client| client.told.clear());
    }
}
