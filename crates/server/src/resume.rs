//! Clients that may come back after their network was away: what other threads know of them, and how they ask.
//!
//! A client asks with a parameter in the query of its request: without a value to be told a token, later with the token to take up
//! its session on a new connection. What it is told is a [`greeting`](Resume::greeting), the first message on each of its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use fws_engine::NodeId;
use fws_hub::Key;
use fws_session::{KeptMemory, Progress};
use fws_wire::ledger::Ticket;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::conn::Conn;

/// The most tokens that are good besides the last and the one before.
const OTHERS: usize = 8;

/// How a route names the parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// That of the token.
    pub token: Box<str>,
    /// That of how many messages the client has got.
    pub received: Box<str>,
}

/// Why a client that came with a token gets a new session instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotResumed {
    /// There is no session of this token: it is over, or there never was one.
    Unknown,
    /// The client did not say how many messages it has got, or that cannot be.
    Received,
    /// Not all messages to the client could be kept.
    Lost,
    /// The new connection is not like the old one: its sub-protocol or its compression is another, or authorize said another id or user.
    Different,
}

impl NotResumed {
    /// As the greeting tells it.
    pub fn as_str(self) -> &'static str {
        match self {
            NotResumed::Unknown => "unknown",
            NotResumed::Received => "received",
            NotResumed::Lost => "lost",
            NotResumed::Different => "different",
        }
    }
}

/// What a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To be able to come back.
    Anew,
    /// To take up a session.
    Back { token: Token, received: u64 },
    /// Something that is not possible.
    Wrong(NotResumed),
}

impl Parameters {
    /// What a query asks, if anything, and the query without that: the application is not told tokens, so that it cannot log them.
    pub fn take(&self, query: &mut Vec<u8>) -> Option<Asked> {
        let (mut tokens, mut counts, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for pair in query.split(|byte| *byte == b'&') {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            if name == self.token.as_bytes() {
                tokens.push(value);
            } else if name == self.received.as_bytes() {
                counts.push(value);
            } else {
                rest.push(pair);
            }
        }
        let asked = match tokens[..] {
            [] => return None,
            [[]] => Asked::Anew,
            [token] => match (Token::parse(token), &counts[..]) {
                (None, _) => Asked::Wrong(NotResumed::Unknown),
                (Some(token), [count]) => match std::str::from_utf8(count).ok().and_then(|count| count.parse().ok()) {
                    Some(received) => Asked::Back { token, received },
                    None => Asked::Wrong(NotResumed::Received),
                },
                (Some(_), _) => Asked::Wrong(NotResumed::Received),
            },
            [_, _, ..] => Asked::Wrong(NotResumed::Unknown),
        };
        *query = rest.join(&b'&');
        Some(asked)
    }
}

/// A secret that only one client knows: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret([u8; 16]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A new one.
    pub fn random() -> Result<Secret, getrandom::Error> {
        let mut bits = [0; 16];
        crate::clock::random(&mut bits)?;
        Ok(Secret(bits))
    }

    /// Whether it is the same, found out in a time that tells nothing of where the two differ.
    pub fn is(&self, other: &Secret) -> bool {
        let differs = self.0.iter().zip(&other.0).fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b)));
        differs == 0
    }
}

/// What a client shows to take up its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The server that has the session; `None`: one that is alone. Not secret.
    pub node: Option<NodeId>,
    /// Where it is there. Not secret.
    pub key: Key,
    /// Whose it is.
    pub secret: Secret,
}

impl Token {
    /// Reads 32 characters of base64url, or 43 if it names a server. `None`: it is no token.
    pub fn parse(text: &[u8]) -> Option<Token> {
        let mut bytes = [0; 32];
        let len = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let node = match len {
            24 => None,
            32 => Some(std::str::from_utf8(&bytes[24..]).ok()?.parse().ok()?),
            _ => return None,
        };
        let (index, generation) = (bytes[..4].try_into().ok()?, bytes[4..8].try_into().ok()?);
        let key = Key { index: u32::from_be_bytes(index), generation: u32::from_be_bytes(generation) };
        Some(Token { node, key, secret: Secret(bytes[8..24].try_into().ok()?) })
    }

    fn text(self) -> String {
        let Token { node, key: Key { index, generation }, secret: Secret(secret) } = self;
        let node = node.as_ref().map_or(&b""[..], |node| node.as_str().as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode([&index.to_be_bytes()[..], &generation.to_be_bytes(), &secret, node].concat())
    }
}

/// What the site said of a client when it came. Who takes its session up must be the same to the site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The id that authorize chose, if it chose one.
    pub id: Option<Arc<str>>,
    /// The user that authorize named; empty where it named none.
    pub user: Box<str>,
}

/// A token that a client was told, and what had been sent both ways then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    secret: Secret,
    /// Messages to the client.
    sent: u64,
    /// Messages from the client.
    received: u64,
}

/// The tokens with which a client may come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Marks {
    last: Mark,
    /// The one before, until the client has proved that it was told the last: the greeting itself may have been lost.
    before: Option<Mark>,
    /// Others that were told to who came with the one before, the oldest first. The client has got one of these greetings at most, and it may be any of
    /// them: a request that it gave up can be handled behind the next one.
    others: Vec<Mark>,
}

/// A client that may come back, as other threads see it.
#[derive(Debug)]
pub struct Resume {
    pub bound: Bound,
    /// This server, if it is one of several.
    node: Option<NodeId>,
    pub memory: Arc<KeptMemory>,
    marks: Mutex<Marks>,
    /// The session's [`Progress`] at the end of its shard's last turn.
    arrived: AtomicU64,
    sent: AtomicU64,
    lost: AtomicBool,
    /// Its place among the clients that are waited for, if it has no connection at the moment.
    suspended: Mutex<Option<Ticket>>,
    /// Handshakes under way that want to take the session up.
    visits: AtomicU32,
}

impl Resume {
    /// `marks`: what the client was told.
    pub fn new(bound: Bound, node: Option<NodeId>, memory: Arc<KeptMemory>, marks: Marks) -> Resume {
        Resume {
            bound,
            node,
            memory,
            marks: Mutex::new(marks),
            arrived: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            suspended: Mutex::new(None),
            visits: AtomicU32::new(0),
        }
    }

    /// The number of the last message that a client has got which says that it got `received` since it was told this secret.
    pub fn find(&self, secret: &Secret, received: u64) -> Result<u64, NotResumed> {
        let mark = self.marks.lock().find(secret).ok_or(NotResumed::Unknown)?;
        let arrived = mark.sent.checked_add(received).ok_or(NotResumed::Received)?;
        if self.lost.load(Ordering::Acquire) {
            return Err(NotResumed::Lost);
        }
        let possible = self.arrived.load(Ordering::Acquire)..=self.sent.load(Ordering::Acquire);
        if possible.contains(&arrived) { Ok(arrived) } else { Err(NotResumed::Received) }
    }

    /// What the client was told with this secret.
    pub fn mark(&self, secret: &Secret) -> Option<Mark> {
        self.marks.lock().find(secret)
    }

    /// All with which the client may come.
    pub fn marks(&self) -> Marks {
        self.marks.lock().clone()
    }

    /// The shard: how far the session is. `true`: it has just been found that the client cannot come back.
    pub fn publish(&self, progress: Progress) -> bool {
        self.sent.store(progress.sent, Ordering::Release);
        self.arrived.store(progress.arrived, Ordering::Release);
        !self.lost.swap(progress.lost, Ordering::AcqRel) && progress.lost
    }

    /// The shard: a client is back with `old`, and `arrived` is the number of the last message that it has got. It is told `fresh` from now on.
    /// How many messages came from it since it was told `old`; `None`: `old` was replaced meanwhile.
    pub fn renew(&self, old: &Secret, fresh: Secret, arrived: u64, progress: Progress) -> Option<u64> {
        let mut marks = self.marks.lock();
        let shown = marks.find(old)?;
        marks.renew(shown, Mark { secret: fresh, sent: arrived, received: progress.received });
        Some(progress.received - shown.received)
    }

    /// The shard: the client has proved that it was told its last token, so no other is good any more.
    pub fn greeted(&self) {
        self.marks.lock().prove();
    }

    /// The first message to a client with its last token.
    pub fn greeting(&self, key: Key, window: u64, answer: Result<u64, Option<NotResumed>>) -> String {
        let token = Token { node: self.node, key, secret: self.marks.lock().last.secret }.text();
        // The window is told in whole seconds, rather too short than too long.
        let window = window / 1000;
        match answer {
            Ok(received) => json!({ "resume": { "token": token, "resumed": true, "window": window, "received": received } }),
            Err(None) => json!({ "resume": { "token": token, "resumed": false, "window": window } }),
            Err(Some(why)) => json!({ "resume": { "token": token, "resumed": false, "window": window, "reason": why.as_str() } }),
        }
        .to_string()
    }

    /// Says whether it is waited for: its place among those that are. What was said before.
    pub fn set_suspended(&self, place: Option<Ticket>) -> Option<Ticket> {
        std::mem::replace(&mut *self.suspended.lock(), place)
    }

    pub fn is_suspended(&self) -> bool {
        self.suspended.lock().is_some()
    }

    /// Whether a client may be on its way to take it up.
    pub fn is_visited(&self) -> bool {
        self.visits.load(Ordering::Acquire) > 0
    }
}

impl Marks {
    /// What a new client is told: nothing was sent yet.
    pub fn first(secret: Secret) -> Marks {
        Marks { last: Mark { secret, sent: 0, received: 0 }, before: None, others: Vec::new() }
    }

    fn find(&self, secret: &Secret) -> Option<Mark> {
        // All are looked at, so that the time tells nothing.
        let all = [Some(self.last), self.before].into_iter().flatten().chain(self.others.iter().copied());
        all.fold(None, |found, mark| if mark.secret.is(secret) { Some(mark) } else { found })
    }

    /// The client has shown one of them, and is told another one.
    fn renew(&mut self, shown: Mark, fresh: Mark) {
        let again = self.before.is_some_and(|before| before.secret.is(&shown.secret));
        #[cfg(feature = "simulation")]
        let again = again && !crate::simulation::has(crate::simulation::Flaw::OneToken);
        if again {
            if self.others.len() == OTHERS {
                self.others.remove(0);
            }
            self.others.push(self.last);
        } else {
            self.others = Vec::new();
        }
        self.before = Some(shown);
        self.last = fresh;
    }

    /// The client was told the last one.
    fn prove(&mut self) {
        self.before = None;
        self.others = Vec::new();
    }
}

/// A handshake that wants to take a session up. As long as it is there the session does not end for want of time.
#[derive(Debug)]
pub struct Visit(Arc<Conn>);

impl Visit {
    /// `None`: the client did not ask to come back.
    pub fn new(conn: Arc<Conn>) -> Option<Visit> {
        conn.resume.as_ref()?.visits.fetch_add(1, Ordering::AcqRel);
        Some(Visit(conn))
    }

    pub fn conn(&self) -> &Arc<Conn> {
        &self.0
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(resume) = &self.0.resume {
            resume.visits.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        Parameters { token: "resume".into(), received: "received".into() }
    }

    fn take(query: &str) -> (Option<Asked>, String) {
        let mut query = query.as_bytes().to_vec();
        let asked = parameters().take(&mut query);
        (asked, String::from_utf8(query).expect("text"))
    }

    fn secret(byte: u8) -> Secret {
        Secret([byte; 16])
    }

    fn token(byte: u8) -> Token {
        Token { node: None, key: Key { index: 7, generation: 1 << 31 }, secret: secret(byte) }
    }

    #[test]
    fn a_token_is_32_characters_that_are_safe_in_a_query() {
        let text = token(0xfb).text();
        assert_eq!((text.len(), Token::parse(text.as_bytes())), (32, Some(token(0xfb))));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        for wrong in ["", "a", &text[1..], &format!("{text}A"), &text.replace('-', "+"), &format!("{}%", &text[1..])] {
            assert_eq!(Token::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert!(!format!("{:?}", token(1)).contains("1, 1"), "a secret is not printed");
        let node = NodeId::random().expect("randomness");
        let of_one = Token { node: Some(node), ..token(0xfb) };
        assert_eq!((of_one.text().len(), Token::parse(of_one.text().as_bytes())), (43, Some(of_one)), "with the name of its server");
        assert_eq!(Token::parse(BASE64_URL_SAFE_NO_PAD.encode([0xff; 32]).as_bytes()), None, "no server is called so");
    }

    #[test]
    fn what_a_client_asks_is_taken_out_of_its_query() {
        let text = token(1).text();
        let back = |received| Some(Asked::Back { token: token(1), received });
        let wrong = |why| Some(Asked::Wrong(why));
        for (query, asked, rest) in [
            ("room=1&x", None, "room=1&x"),
            ("received=5", None, "received=5"),
            ("resume=", Some(Asked::Anew), ""),
            ("a=1&resume&b=2", Some(Asked::Anew), "a=1&b=2"),
            (&format!("a=1&resume={text}&received=5&b"), back(5), "a=1&b"),
            (&format!("received=0&resume={text}"), back(0), ""),
            (&format!("resume={text}"), wrong(NotResumed::Received), ""),
            (&format!("resume={text}&received="), wrong(NotResumed::Received), ""),
            (&format!("resume={text}&received=-1"), wrong(NotResumed::Received), ""),
            (&format!("resume={text}&received=1&received=2"), wrong(NotResumed::Received), ""),
            (&format!("resume={text}&resume={text}&received=1"), wrong(NotResumed::Unknown), ""),
            ("resume=nonsense&received=1&c", wrong(NotResumed::Unknown), "c"),
        ] {
            assert_eq!(take(query), (asked, rest.to_owned()), "{query}");
        }
    }

    fn progress(arrived: u64, sent: u64, received: u64) -> Progress {
        Progress { arrived, sent, received, lost: false }
    }

    #[test]
    fn the_token_before_the_last_is_good_until_the_client_has_proved_that_it_was_told_the_last() {
        let resume = Resume::new(Bound::default(), None, Arc::default(), Marks::first(secret(1)));
        resume.publish(progress(0, 10, 3));
        assert_eq!(resume.find(&secret(1), 4), Ok(4));
        assert_eq!(resume.renew(&secret(1), secret(2), 4, progress(4, 10, 3)), Some(3));
        // Its greeting is lost with the connection: the client comes with what it has.
        assert_eq!(resume.find(&secret(1), 4), Ok(4));
        assert_eq!(resume.renew(&secret(1), secret(3), 4, progress(4, 10, 8)), Some(8), "all that came since it was told its token");
        assert_eq!((resume.find(&secret(3), 2), resume.find(&secret(1), 6)), (Ok(6), Ok(6)));
        resume.greeted();
        assert_eq!(resume.find(&secret(1), 6), Err(NotResumed::Unknown));
        assert_eq!(resume.renew(&secret(1), secret(4), 6, progress(4, 10, 8)), None);
        assert_eq!(resume.renew(&secret(3), secret(4), 6, progress(6, 10, 9)), Some(1));
    }

    #[test]
    fn of_the_tokens_that_were_told_since_the_client_has_proved_one_any_is_good() {
        let resume = Resume::new(Bound::default(), None, Arc::default(), Marks::first(secret(1)));
        resume.publish(progress(0, 10, 3));
        assert_eq!(resume.renew(&secret(1), secret(2), 4, progress(4, 10, 3)), Some(3));
        // A request that the client had given up before is handled behind the one that it was greeted on.
        assert_eq!(resume.renew(&secret(1), secret(3), 4, progress(4, 10, 7)), Some(7));
        assert_eq!([1, 2, 3].map(|told| resume.find(&secret(told), 4)), [Ok(4), Ok(8), Ok(8)], "a count is that of its token");
        assert_eq!(resume.renew(&secret(2), secret(4), 6, progress(6, 10, 8)), Some(5), "what came since it was told that one");
        assert_eq!([1, 3].map(|told| resume.mark(&secret(told))), [None; 2], "it was told another one");
        assert!([2, 4].iter().all(|told| resume.mark(&secret(*told)).is_some()));
        for told in 5..5 + 2 * OTHERS as u8 {
            assert_eq!(resume.renew(&secret(2), secret(told), 6, progress(6, 10, 8)), Some(5));
        }
        let good = (0..=u8::MAX).filter(|told| resume.mark(&secret(*told)).is_some()).count();
        assert_eq!((good, resume.mark(&secret(4))), (OTHERS + 2, None), "not more than that are remembered");
        resume.greeted();
        assert_eq!((0..=u8::MAX).filter(|told| resume.mark(&secret(*told)).is_some()).count(), 1);
    }

    #[test]
    fn a_count_that_cannot_be_and_a_session_with_a_loss_are_told() {
        let resume = Resume::new(Bound::default(), None, Arc::default(), Marks::first(secret(1)));
        resume.publish(progress(2, 5, 0));
        for (received, found) in
            [(1, Err(NotResumed::Received)), (2, Ok(2)), (5, Ok(5)), (6, Err(NotResumed::Received)), (u64::MAX, Err(NotResumed::Received))]
        {
            assert_eq!(resume.find(&secret(1), received), found, "{received}");
        }
        assert!(resume.publish(Progress { lost: true, ..Progress::default() }));
        assert!(!resume.publish(Progress { lost: true, ..Progress::default() }), "told once");
        assert_eq!(resume.find(&secret(1), 2), Err(NotResumed::Lost));
        assert_eq!(resume.find(&secret(2), 2), Err(NotResumed::Unknown), "who does not know the token is told nothing");
    }

    #[test]
    fn the_greeting_is_json_that_says_what_became_of_the_wish() {
        let resume = Resume::new(Bound::default(), None, Arc::default(), Marks::first(secret(1)));
        let greeting = |answer| serde_json::from_str::<serde_json::Value>(&resume.greeting(token(1).key, 60_999, answer)).expect("JSON");
        let token = token(1).text();
        assert_eq!(greeting(Err(None)), json!({ "resume": { "token": token, "resumed": false, "window": 60 } }));
        assert_eq!(
            greeting(Err(Some(NotResumed::Lost))),
            json!({ "resume": { "token": token, "resumed": false, "window": 60, "reason": "lost" } })
        );
        assert_eq!(greeting(Ok(3)), json!({ "resume": { "token": token, "resumed": true, "window": 60, "received": 3 } }));
    }
}
