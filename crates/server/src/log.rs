//! Log records on their way to the host's logger.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::flag::Flag;

/// The most records that wait; more are counted, and the count is logged when there is room.
const MOST: usize = 1024;
/// The longest record, bytes.
const LONGEST: usize = 32 * 1024;
/// Repeated trouble of one kind on one route is logged once in this time, with a count.
const BURST: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
pub enum Level {
    Info,
    Warn,
    Error,
}

/// Trouble that comes in bursts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    OutboxFull,
    SlowClient,
    RateLimit,
    TooLarge,
    EventsDropped,
    BellUnanswered,
    Origin,
    Violation,
    NoRoom,
    Discarded,
    Control,
}

impl Trouble {
    fn level(self) -> Level {
        match self {
            // What an application does on purpose.
            Trouble::Discarded => Level::Info,
            Trouble::OutboxFull
            | Trouble::SlowClient
            | Trouble::RateLimit
            | Trouble::TooLarge
            | Trouble::EventsDropped
            | Trouble::BellUnanswered
            | Trouble::Violation
            | Trouble::NoRoom
            | Trouble::Origin
            | Trouble::Control => Level::Warn,
        }
    }
}

#[derive(Debug)]
pub struct Log {
    state: Mutex<State>,
    flag: Arc<Flag>,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<String>,
    lost: u64,
    bursts: HashMap<(Trouble, Arc<str>), Burst>,
}

#[derive(Debug)]
struct Burst {
    logged: Instant,
    since: u64,
}

impl Log {
    pub fn new(flag: Arc<Flag>) -> Log {
        Log { state: Mutex::default(), flag }
    }

    /// Queues a record; `fields` is a JSON object.
    pub fn write(&self, level: Level, message: &str, fields: Value) {
        self.queue(&mut self.state.lock(), level, message, fields);
    }

    /// Queues a record unless the same trouble was logged for the same `of` (a route, a worker) a moment ago: then it is counted.
    pub fn burst(&self, trouble: Trouble, of: &Arc<str>, message: &str, fields: impl FnOnce() -> Map<String, Value>) {
        let mut state = self.state.lock();
        let now = Instant::now();
        let burst = state.bursts.entry((trouble, of.clone())).or_insert(Burst { logged: now - BURST, since: 0 });
        if now - burst.logged < BURST {
            burst.since += 1;
            return;
        }
        let since = std::mem::take(&mut burst.since);
        burst.logged = now;
        let mut fields = fields();
        if since > 0 {
            fields.insert("and_before".into(), since.into());
        }
        self.queue(&mut state, trouble.level(), message, Value::Object(fields));
    }

    fn queue(&self, state: &mut State, level: Level, message: &str, fields: Value) {
        if state.records.len() >= MOST {
            state.lost += 1;
            return;
        }
        if state.lost > 0 {
            let lost = std::mem::take(&mut state.lost);
            state.records.push_back(line(
                Level::Warn,
                "log records were lost: they came faster than they were taken",
                json!({ "lost": lost }),
            ));
        }
        let mut record = line(level, message, fields);
        if record.len() > LONGEST {
            record = line(level, message, json!({ "fields": "left out: too long" }));
        }
        state.records.push_back(record);
        self.flag.raise();
    }

    /// Moves whole lines into `buffer`; returns the bytes written.
    pub fn take(&self, buffer: &mut [u8]) -> usize {
        let mut state = self.state.lock();
        let mut written = 0;
        while let Some(record) = state.records.front() {
            if record.len() > buffer.len() - written {
                break;
            }
            buffer[written..written + record.len()].copy_from_slice(record.as_bytes());
            written += record.len();
            state.records.pop_front();
        }
        written
    }
}

fn line(level: Level, message: &str, fields: Value) -> String {
    let level = match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let mut line = json!({ "level": level, "msg": message, "fields": fields }).to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        Log::new(Arc::new(Flag::new().expect("an eventfd")))
    }

    fn taken(log: &Log) -> Vec<Value> {
        let mut buffer = vec![0; 64 * 1024];
        let mut lines = Vec::new();
        loop {
            let n = log.take(&mut buffer);
            if n == 0 {
                return lines;
            }
            lines.extend(buffer[..n].split_inclusive(|b| *b == b'\n').map(|l| serde_json::from_slice(l).expect("a JSON line")));
        }
    }

    #[test]
    fn a_burst_is_one_record_for_each_route() {
        let log = log();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for _ in 0..1000 {
            log.burst(Trouble::OutboxFull, &a, "full", Map::new);
        }
        log.burst(Trouble::OutboxFull, &b, "full", Map::new);
        assert_eq!(taken(&log).len(), 2);
    }

    #[test]
    fn records_beyond_the_bound_are_counted_and_the_count_is_told() {
        let log = log();
        (0..MOST + 7).for_each(|n| log.write(Level::Info, "x", json!({ "n": n })));
        assert_eq!(taken(&log).len(), MOST);
        log.write(Level::Info, "y", json!({}));
        assert_eq!(taken(&log)[0]["fields"]["lost"], 7);
    }

    #[test]
    fn a_record_that_is_too_long_keeps_its_message() {
        let log = log();
        log.write(Level::Error, "big", json!({ "output": "x".repeat(LONGEST) }));
        assert_eq!(taken(&log)[0]["msg"], "big");
    }
}
