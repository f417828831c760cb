//! How fast a client may send: two token buckets, of messages and of bytes.

use crate::Millis;

/// What a client may send, and what happens beyond it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Messages a second, and what else costs more to handle than to receive: pings, pongs that nobody asked for, short fragments; 0: any
    /// number.
    pub messages: u32,
    /// Bytes a second, frame headers included; 0: any number.
    pub bytes: u64,
    /// For so long a client that was silent may send without limit what the rates allow for this time.
    pub burst: Millis,
    /// What happens beyond.
    pub exceed: Exceed,
}

/// What happens to a client that sends faster than its [`RateLimit`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Exceed {
    /// Nothing is read from it until it may send again: nothing is lost, and TCP slows it down.
    #[default]
    Delay,
    /// It is closed with 1008.
    Close,
}

/// Where reading stopped, it goes on after this time at the earliest: at a high rate, pieces rather than single messages.
const SHORTEST_WAIT: Millis = 20;

/// The state of a client's buckets.
#[derive(Debug)]
pub(crate) struct Meter {
    messages: Bucket,
    bytes: Bucket,
}

impl Meter {
    pub(crate) fn new(limit: &RateLimit, now: Millis) -> Meter {
        Meter { messages: Bucket::full(limit.messages.into(), limit, now), bytes: Bucket::full(limit.bytes, limit, now) }
    }

    /// Counts what was received.
    pub(crate) fn charge(&mut self, limit: &RateLimit, messages: u64, bytes: usize, now: Millis) {
        self.messages.charge(limit.messages.into(), limit.burst, messages, now);
        self.bytes.charge(limit.bytes, limit.burst, bytes as u64, now);
    }

    /// Whether more was received than is allowed.
    pub(crate) fn is_overdrawn(&self) -> bool {
        self.messages.level < 0 || self.bytes.level < 0
    }

    /// How long to wait before more is looked at; `more`: something lies there already, and may be a message.
    pub(crate) fn wait(&self, limit: &RateLimit, more: bool) -> Option<Millis> {
        let messages = if more { self.messages.until(limit.messages.into(), Bucket::UNIT) } else { 0 };
        let wait = messages.max(self.bytes.until(limit.bytes, 0));
        (wait > 0).then(|| wait.max(SHORTEST_WAIT))
    }
}

/// Thousandths of what may still be sent, so that a rate a second is exact by the millisecond. Below zero it is a debt: a message that
/// has begun is received to its end.
#[derive(Debug)]
struct Bucket {
    level: i64,
    at: Millis,
}

impl Bucket {
    /// One message or byte.
    const UNIT: i64 = 1000;

    fn full(rate: u64, limit: &RateLimit, now: Millis) -> Bucket {
        Bucket { level: capacity(rate, limit.burst), at: now }
    }

    fn charge(&mut self, rate: u64, burst: Millis, count: u64, now: Millis) {
        if rate == 0 {
            return;
        }
        let gained = units(rate, now.saturating_sub(self.at));
        self.at = now;
        self.level = self.level.saturating_add(gained).min(capacity(rate, burst));
        self.level = self.level.saturating_sub(units(count, Bucket::UNIT as u64));
    }

    /// The time until there is `level`, if nothing more is charged, from the last charge.
    fn until(&self, rate: u64, level: i64) -> Millis {
        if rate == 0 || self.level >= level {
            return 0;
        }
        (level.saturating_sub(self.level) as u64).div_ceil(rate)
    }
}

/// At least one message or byte, however short the burst: less would let nothing pass.
fn capacity(rate: u64, burst: Millis) -> i64 {
    units(rate, burst).max(Bucket::UNIT)
}

fn units(count: u64, each: u64) -> i64 {
    i64::try_from(count.saturating_mul(each)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(messages: u32, bytes: u64, burst: Millis) -> RateLimit {
        RateLimit { messages, bytes, burst, exceed: Exceed::Delay }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds_to_the_message() {
        let limit = limit(10, 0, 2000);
        let mut meter = Meter::new(&limit, 0);
        let mut passed = 0;
        for now in 0..10_000 {
            // As often as it may.
            while meter.wait(&limit, true).is_none() {
                meter.charge(&limit, 1, 100, now);
                passed += 1;
            }
            meter.charge(&limit, 0, 0, now);
        }
        assert_eq!(passed, 20 + 99, "two seconds' worth at once, then ten a second");
    }

    #[test]
    fn bytes_go_into_debt_and_the_wait_pays_it() {
        let limit = limit(0, 1000, 1000);
        let mut meter = Meter::new(&limit, 0);
        meter.charge(&limit, 1, 3000, 0);
        assert_eq!(meter.wait(&limit, false), Some(2000));
        meter.charge(&limit, 0, 0, 1999);
        assert_eq!(meter.wait(&limit, false), Some(SHORTEST_WAIT));
        meter.charge(&limit, 0, 0, 2000);
        assert_eq!(meter.wait(&limit, true), None);
        assert!(!meter.is_overdrawn());
        meter.charge(&limit, 0, 0, 1 << 40);
        meter.charge(&limit, 0, 1001, 1 << 40);
        assert!(meter.is_overdrawn(), "a long silence saves up no more than the burst");
    }

    #[test]
    fn the_largest_numbers_overflow_nothing() {
        let limit = limit(u32::MAX, u64::MAX, u64::MAX);
        let mut meter = Meter::new(&limit, 0);
        meter.charge(&limit, u64::MAX, usize::MAX, 5);
        meter.charge(&limit, u64::MAX, usize::MAX, 6);
        meter.charge(&limit, 0, 0, u64::MAX);
        let _ = meter.wait(&limit, true);
    }
}
