//! What has happened, as nobody in the simulation knows it: the history that the properties are functions of.

use std::collections::{BTreeMap, BTreeSet};

/// A moment: moments grow.
pub type Moment = u64;

/// All that has happened.
#[derive(Debug, Default)]
pub struct Truth {
    /// The last moment.
    now: Moment,
    /// By the number of the visit that began each.
    pub sessions: BTreeMap<usize, Session>,
    /// By their numbers.
    pub sent: Vec<Sent>,
    /// Numbers of messages to groups that some servers did not get as Redis was away.
    pub lost: BTreeSet<usize>,
    /// What PHP was told of users in channels: channel and user, and whether it has joined.
    pub attendance: Vec<(String, String, bool)>,
    /// The sessions that have each name that an application has chosen, as far as is known.
    pub names: BTreeMap<String, usize>,
    /// Tags that were given to, or taken off, whoever has such a name.
    pub tagged_names: BTreeSet<(String, String)>,
    /// Names, and what those may be called one day that have them: nobody knows what became of such a command.
    pub late_renames: BTreeSet<(String, String)>,
    /// What servers called the sessions that the application has closed.
    pub ended: BTreeSet<String>,
    /// What was found to be wrong already.
    pub wrong: Vec<String>,
    /// How often servers have died, or connections to Redis have broken.
    pub troubles: usize,
    /// How often a client began a new session although it had one, by the reason that it was told.
    pub over: BTreeMap<String, usize>,
    /// How often a session was taken up, on the same server or on another one.
    pub resumed: usize,
}

/// A client from its first connection on, until its session is over.
#[derive(Debug, Default)]
pub struct Session {
    /// Whose it is.
    pub client: usize,
    /// The client does not keep to the protocol.
    pub liar: bool,
    /// What servers call it, if that is known.
    pub id: Option<String>,
    /// All that servers have called it, or may have.
    pub ids: BTreeSet<String>,
    /// Whose connection it is.
    pub user: String,
    /// PHP was told of it.
    pub opened: Option<Moment>,
    /// It is to get all that was ever sent to this tag.
    pub whole: Option<String>,
    /// Its stays in groups, by tag.
    pub stays: BTreeMap<String, Vec<Stay>>,
    /// Tags that somebody is giving it, or taking off it.
    pub changing: BTreeSet<String>,
    /// Messages that it got, by number, and when.
    pub got: Vec<(usize, Moment)>,
    /// Numbers that it has sent, and those that PHP has handled.
    pub said: u64,
    /// What PHP has handled of these.
    pub heard: Vec<u64>,
    /// Why it may be over; `None`: there is no reason.
    pub excuse: Option<&'static str>,
    /// PHP was told that it is closed.
    pub closed: bool,
    /// It was told so by a server that had given it to one that is cut off or dead.
    pub believed_lost: bool,
    /// The client has got another one.
    pub over: bool,
}

/// A time in a group. It is sure from `from` to `ending`, and possible from `begun` to `ended`.
#[derive(Debug, Clone, Copy)]
pub struct Stay {
    /// It is being given the tag.
    pub begun: Moment,
    /// It has it.
    pub from: Option<Moment>,
    /// It may not have it any more.
    pub ending: Option<Moment>,
    /// It has it no more.
    pub ended: Option<Moment>,
}

/// To whom a message was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// To all with a tag.
    Tag(String),
    /// To all.
    All,
    /// To all of a user.
    User(String),
    /// To one session.
    One(usize),
}

/// A message.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Who sends one message after the other.
    pub sender: String,
    /// To whom.
    pub aim: Aim,
    /// What servers called that session.
    pub id: Option<String>,
    /// It is recorded.
    pub recorded: bool,
    /// When the call began.
    pub begun: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// The caller was told that it is sent.
    pub sure: bool,
    /// The caller was told that it is not sent.
    pub refused: bool,
}

impl Truth {
    /// The next moment.
    pub fn moment(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// Something is wrong.
    pub fn blame(&mut self, what: String) {
        if self.wrong.len() < 20 {
            self.wrong.push(what);
        }
    }

    /// Remembers which messages are among what was lost.
    pub fn lose(&mut self, payloads: Vec<Vec<u8>>) {
        self.lost.extend(payloads.iter().filter_map(|payload| number_in(payload)));
    }

    /// A session that is not known to be over, by what servers call it.
    pub fn session_of(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.values_mut().rev().find(|session| session.id.as_deref() == Some(id))
    }

    /// A session is about to get a tag.
    pub fn joining(&mut self, session: usize, tag: &str) {
        let begun = self.moment();
        let stays = self.sessions.entry(session).or_default().stays.entry(tag.to_owned()).or_default();
        if stays.last().is_none_or(|last| last.ending.is_some()) {
            stays.push(Stay { begun, from: None, ending: None, ended: None });
        }
    }

    /// It has got it.
    pub fn joined(&mut self, session: usize, tag: &str) {
        let now = self.moment();
        let stays = self.sessions.entry(session).or_default().stays.entry(tag.to_owned()).or_default();
        if let Some(last) = stays.last_mut().filter(|last| last.ending.is_none()) {
            last.from.get_or_insert(now);
        }
    }

    /// A session is about to lose a tag.
    pub fn leaving(&mut self, session: usize, tag: &str) {
        let now = self.moment();
        let stays = self.sessions.entry(session).or_default().stays.entry(tag.to_owned()).or_default();
        if let Some(last) = stays.last_mut() {
            last.ending.get_or_insert(now);
        }
    }

    /// Whether a server that was believed to be dead may still have another session with the name of one, and mean that. docs/scaling.md says that such a
    /// client is closed only once the server finds out.
    pub fn may_be_anothers(&self, session: usize, id: &str) -> bool {
        let another = |(number, other): (&usize, &Session)| *number != session && other.ids.contains(id);
        self.troubles > 0 && self.sessions.iter().any(another)
    }

    /// Other sessions may be meant that are called the same: whether they have the tag nobody can say from now on.
    pub fn doubt(&mut self, session: usize, id: &str, tag: &str) {
        let now = self.moment();
        for (_, other) in self.sessions.iter_mut().filter(|(number, other)| **number != session && other.ids.contains(id)) {
            let stays = other.stays.entry(tag.to_owned()).or_default();
            if let Some(last) = stays.last_mut() {
                last.ending.get_or_insert(now);
            }
            stays.insert(0, Stay { begun: 0, from: None, ending: Some(0), ended: None });
        }
        if !id.contains('.') {
            self.tagged_names.insert((id.to_owned(), tag.to_owned()));
        }
    }

    /// Whoever has a name may be called something else from now on.
    pub fn may_be_renamed(&mut self, from: &str, to: &str) {
        for session in self.sessions.values_mut().filter(|session| session.ids.contains(from)) {
            session.ids.insert(to.to_owned());
        }
    }

    /// PHP hears of a session. Who meant another one of that name may have given it tags before, or another name.
    pub fn opens(&mut self, session: usize, id: &str) {
        let ids = &mut self.sessions.entry(session).or_default().ids;
        ids.insert(id.to_owned());
        while let Some((_, to)) = self.late_renames.iter().find(|(from, to)| ids.contains(from) && !ids.contains(to)) {
            ids.insert(to.clone());
        }
        let doubtful: Vec<String> = self.tagged_names.iter().filter(|(name, _)| ids.contains(name)).map(|(_, tag)| tag.clone()).collect();
        for tag in doubtful {
            let stays = self.sessions.entry(session).or_default().stays.entry(tag).or_default();
            stays.insert(0, Stay { begun: 0, from: None, ending: Some(0), ended: None });
        }
    }

    /// It may have it or not from now on: nobody knows what became of a command.
    pub fn lose_track(&mut self, session: usize, tag: &str) {
        let now = self.moment();
        let stays = self.sessions.entry(session).or_default().stays.entry(tag.to_owned()).or_default();
        if let Some(last) = stays.last_mut() {
            last.ending.get_or_insert(now);
        }
        stays.push(Stay { begun: 0, from: None, ending: Some(0), ended: None });
    }

    /// It has lost it.
    pub fn left(&mut self, session: usize, tag: &str) {
        let now = self.moment();
        let stays = self.sessions.entry(session).or_default().stays.entry(tag.to_owned()).or_default();
        if let Some(last) = stays.last_mut().filter(|last| last.ending.is_some()) {
            last.ended.get_or_insert(now);
        }
    }
}

/// The text of a message.
pub fn text_of(number: usize) -> String {
    format!("<m{number}>")
}

/// The number of the message in some bytes.
pub fn number_in(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(2).position(|two| two == b"<m")?;
    let digits: Vec<u8> = bytes[at + 2..].iter().copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

impl Session {
    /// Whether no other session has ever been called as it was.
    pub fn has_own_id(&self) -> bool {
        self.ids.iter().all(|id| id.contains('.'))
    }

    /// Whether it has been in a group without a doubt from one moment to another.
    pub fn is_surely_in(&self, tag: &str, from: Moment, to: Moment) -> bool {
        let sure = |stay: &Stay| stay.from.is_some_and(|begun| begun <= from) && stay.ending.is_none_or(|ending| ending > to);
        self.stays.get(tag).is_some_and(|stays| stays.iter().any(sure))
    }

    /// Whether it may have been in a group at some moment between these.
    pub fn may_be_in(&self, tag: &str, from: Moment, to: Moment) -> bool {
        let may = |stay: &Stay| stay.begun <= to && stay.ended.is_none_or(|ended| ended >= from);
        self.stays.get(tag).is_some_and(|stays| stays.iter().any(may))
    }

    /// Whether it is in a group now without a doubt; `None`: there is one.
    pub fn is_in(&self, tag: &str) -> Option<bool> {
        let Some(last) = self.stays.get(tag).and_then(|stays| stays.last()) else { return Some(false) };
        match last {
            Stay { from: Some(_), ending: None, .. } => Some(true),
            Stay { ended: Some(_), .. } => Some(false),
            Stay { .. } => None,
        }
    }
}
