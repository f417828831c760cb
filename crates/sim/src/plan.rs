//! What a seed decides before anything happens.

use crate::mutation::Mutation;
use crate::random::Random;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What all follows from.
    pub seed: u64,
    /// Servers at the beginning.
    pub nodes: usize,
    /// Clients.
    pub clients: usize,
    /// Shards of each server.
    pub shards: usize,
    /// How much happens before all becomes quiet.
    pub steps: usize,
    /// How likely each kind of event is.
    pub weights: [u32; KINDS],
    /// Connections of clients break.
    pub breaks: bool,
    /// Servers die, and others come.
    pub deaths: bool,
    /// Connections to Redis break.
    pub outages: bool,
    /// Redis forgets all when it has been away.
    pub forgets: bool,
    /// Calls of Redis fail, before they are carried out or after that.
    pub failures: bool,
    /// The configuration is put in force anew.
    pub reloads: bool,
    /// One of the clients lies.
    pub liar: bool,
    /// How long users may stay away, milliseconds.
    pub grace: u64,
    /// Milliseconds.
    pub ping_interval: u64,
    /// How long clients are waited for, milliseconds.
    pub window: u64,
    /// Users that the clients are of.
    pub users: usize,
    /// The site chooses ids for some clients.
    pub names: bool,
    /// What is broken on purpose.
    pub mutation: Option<Mutation>,
}

/// Kinds of events.
pub const KINDS: usize = 18;

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Plan {
        // Other numbers than those of what happens.
        let random = Random::new(seed ^ 0x5eed_5eed_5eed_5eed);
        let calm = random.chance(500);
        let may = |of_thousand| random.chance(of_thousand);
        let (breaks, deaths, outages, forgets) = (may(850), !calm && may(400), !calm && may(600), may(300));
        Plan {
            seed,
            nodes: random.pick(&[1, 2, 2, 3, 3, 3, 4, 5]),
            clients: random.between(1, 5),
            shards: random.between(1, 2),
            steps: random.between(150, 700),
            weights: std::array::from_fn(|_| random.pick(&[1, 3, 10, 10, 30])),
            breaks,
            deaths,
            outages,
            forgets,
            failures: !calm && may(400),
            reloads: may(300),
            liar: may(150),
            grace: random.pick(&[0, 500, 5_000]),
            ping_interval: random.pick(&[200, 1_000, 20_000]),
            window: random.pick(&[3_000, 60_000]),
            users: random.between(1, 3),
            names: may(300),
            mutation: None,
        }
    }

    /// The same, with something broken on purpose.
    pub fn broken(seed: u64, mutation: Mutation) -> Plan {
        Plan { mutation: Some(mutation), ..Plan::of(seed) }
    }

    /// Whether Redis is always there and knows all.
    pub fn is_redis_reliable(&self) -> bool {
        !self.outages && !self.failures
    }

    /// The routes of a server.
    pub fn routes(&self, generation: u64) -> String {
        let [grace, ping_interval, window] = [self.grace, self.ping_interval, self.window].map(|millis| millis * 1_000_000);
        // A reload changes something that no client sees.
        let max = 1000 + generation;
        format!(
            r#"{{"routes":[{{"name":"chat","worker":"w","max_connections":{max},"resume":{{"window":{window}}},
            "ping_interval":{ping_interval},"pong_timeout":1000000000,"close_timeout":1000000000,"message_timeout":0,
            "channels":[{{"pattern":"hall:*","presence":{{"grace":{grace}}}}},
            {{"pattern":"news:*","history":{{"count":100000,"age":3600000000000}}}}]}}]}}"#
        )
    }
}
