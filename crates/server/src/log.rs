//! Log records on their way to the host's logger.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::notifier::Notifier;

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
    HeldBack,
    TooLarge,
    EventsDropped,
    NotTold,
    BellUnanswered,
    Origin,
    Violation,
    NoRoom,
    WindowLost,
    Unfinished,
    Discarded,
    Suspended,
    Cluster,
    Control,
    Webhook,
}

impl Trouble {
    fn level(self) -> Level {
        match self {
            // What an application does on purpose.
            Trouble::Discarded => Level::Info,
            Trouble::OutboxFull
            | Trouble::SlowClient
            | Trouble::RateLimit
            | Trouble::HeldBack
            | Trouble::TooLarge
            | Trouble::EventsDropped
            | Trouble::NotTold
            | Trouble::BellUnanswered
            | Trouble::Violation
            | Trouble::NoRoom
            | Trouble::WindowLost
            | Trouble::Unfinished
            | Trouble::Suspended
            | Trouble::Cluster
            | Trouble::Origin
            | Trouble::Webhook
            | Trouble::Control => Level::Warn,
        }
    }
}

#[derive(Debug)]
pub struct Log {
    state: Mutex<State>,
    flag: Arc<Notifier>,
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
    pub fn new(flag: Arc<Notifier>) -> Log {
        Log { state: Mutex::default(), flag }
    }

    /// Queues a record; `fields` is a JSON object.
    pub fn write(&self, level: Level, message: &str, fields: Value) {
        self.queue(&mut self.state.lock(), level, message, fields);
    }

    /// Queues a record unless the same trouble was logged for the same `of` (a route, a worker) a moment ago: then it is counted.
    pub fn burst(&self, trouble: Trouble, of: &Arc<str>, message: &str, fields: impl FnOnce() -> Map<String, Value>) {
        let mut state = self.state.lock();
        let now = crate::clock::now();
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
                &json!({ "lost": lost }),
            ));
        }
        state.records.push_back(bounded_line(level, message, fields));
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

/// A line of at most [`LONGEST`] bytes: the longest texts of the fields are cut until it fits.
fn bounded_line(level: Level, message: &str, fields: Value) -> String {
    let whole = line(level, message, &fields);
    if whole.len() <= LONGEST {
        return whole;
    }
    let mut longest_text = LONGEST / 2;
    while longest_text >= 16 {
        let mut shorter = fields.clone();
        cut(&mut shorter, longest_text);
        let record = line(level, message, &shorter);
        if record.len() <= LONGEST {
            return record;
        }
        longest_text /= 2;
    }
    // There are more fields than fit, which no caller has.
    line(level, message, &json!({ "fields": "left out: too long" }))
}

/// Cuts every text that is longer than `most` bytes, and says so.
fn cut(value: &mut Value, most: usize) {
    match value {
        Value::String(text) if text.len() > most => {
            let end = (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let left_out = text.len() - end;
            text.truncate(end);
            text.push_str(&format!("… ({left_out} more bytes)"));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| cut(value, most)),
        Value::Object(fields) => fields.values_mut().for_each(|value| cut(value, most)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn line(level: Level, message: &str, fields: &Value) -> String {
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
        Log::new(Arc::new(Notifier::new().expect("an eventfd")))
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
    fn the_longest_texts_of_a_record_are_cut_until_it_fits() {
        let log = log();
        // Control characters take six bytes in JSON, and a cut must not fall into a character.
        for text in ["x".repeat(LONGEST), "é".repeat(LONGEST), "\u{1}".repeat(LONGEST), "\"".repeat(10 * LONGEST)] {
            log.write(Level::Error, "big", json!({ "cause": text, "output": text, "connection": "c", "event": 7, "all": [text] }));
            let records = taken(&log);
            let fields = &records[0]["fields"];
            assert_eq!((&records[0]["msg"], &fields["connection"], &fields["event"]), (&json!("big"), &json!("c"), &json!(7)));
            let cause = fields["cause"].as_str().expect("a text");
            let (beginning, rest) = cause.rsplit_once('…').expect("a mark");
            assert!(text.starts_with(beginning) && beginning.len() > 500, "{} bytes are left", beginning.len());
            assert_eq!(rest, format!(" ({} more bytes)", text.len() - beginning.len()));
        }
        let many: Map<String, Value> = (0..LONGEST).map(|n| (n.to_string(), Value::Null)).collect();
        log.write(Level::Error, "many", Value::Object(many));
        assert_eq!(taken(&log)[0]["msg"], "many");
    }

    #[test]
    fn a_record_that_fits_is_as_it_was_written() {
        let log = log();
        let text = "x".repeat(LONGEST - 100);
        log.write(Level::Error, "long", json!({ "cause": text }));
        assert_eq!(taken(&log)[0]["fields"]["cause"], json!(text));
    }
}
