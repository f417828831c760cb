//! One client's connection: what it has subscribed to, whom it is signed in as, and what it may do next.
//!
//! Messages and the time go in, [`Action`]s come out. The connection decides what a client may do; the caller does it: it keeps the
//! subscribers of all channels, and gives the outcome of a subscription back ([`Connection::subscribed`], [`Connection::refused`]). Between
//! the two the subscription is *pending*. What one call adds to the actions is to be done in that order.
//!
//! A connection has ended once it has said [`Action::Close`], or the caller has dropped it: then the caller takes it out of its
//! [`channels`](Connection::channels).

mod events;
mod rate;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hashbrown::HashMap;

use self::rate::Bucket;
use crate::app::AppConfig;
use crate::channel::{Access, Channel, Kind};
use crate::error::{Code, Error};
use crate::frame;
use crate::member::{Member, User};
use crate::message::{self, Message, SignIn, Subscribe};
use crate::socket_id::SocketId;
use crate::{Millis, auth};

pub use self::events::ClientEvent;

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send the client a message.
    Send(String),
    /// Make the client a subscriber of a channel, and say how that went.
    Subscribe {
        /// The channel.
        channel: String,
        /// What it is.
        kind: Kind,
        /// Who joins it, in a presence channel.
        member: Option<Member>,
        /// Which subscription this is: to be given back with the outcome.
        subscription: u32,
    },
    /// The client is a subscriber of a channel no more.
    Unsubscribe {
        /// The channel.
        channel: String,
    },
    /// Send the other subscribers of a channel what the client has to say.
    ClientEvent(ClientEvent),
    /// The connection is a user's from now on.
    SignIn(User),
    /// Tell the client which of these users are online, and then who of them comes or goes. None of them is named twice.
    Watch(Vec<String>),
    /// A subscriber has found no event in a cache channel: webhooks tell it.
    CacheMiss {
        /// The channel.
        channel: String,
    },
    /// End the connection, behind what is to be sent before.
    Close {
        /// Why, for the client.
        code: Code,
        /// The same as text, at most 123 bytes.
        reason: String,
    },
}

/// How a subscription went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Joined {
    /// Who is in a presence channel, the new member included.
    pub members: Vec<Member>,
    /// How many connections have subscribed, where the application wants them to be told.
    pub count: Option<u64>,
    /// The last event of a cache channel, as it was sent.
    pub cached: Option<String>,
}

/// So many presence channels may a client enter in a second, once it has entered as many as it may have at a time.
const ARRIVALS: u32 = 10;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    socket_id: SocketId,
    subscriptions: HashMap<Box<str>, Subscription>,
    user: Option<Box<User>>,
    /// The client events it may still send; `None`: it has not sent any.
    bucket: Option<Bucket>,
    /// The presence channels that it may still enter; `None`: it has not entered any.
    arrivals: Option<Bucket>,
    opened: Millis,
    /// When it was last heard of.
    heard: Millis,
    /// When it was pinged, if it has not been heard of since.
    pinged: Option<Millis>,
    /// Whether it has shown anything that the application has signed.
    authorized: bool,
    closed: bool,
    next_subscription: u32,
}

#[derive(Debug)]
struct Subscription {
    number: u32,
    pending: bool,
    /// Who the client is in a presence channel.
    user_id: Option<Arc<str>>,
}

impl Connection {
    /// A connection that the application has [admitted](crate::Handshake::admit), and the first message to it.
    pub fn open(app: &AppConfig, socket_id: SocketId, now: Millis) -> (Connection, String) {
        let connection = Connection {
            socket_id,
            subscriptions: HashMap::new(),
            user: None,
            bucket: None,
            arrivals: None,
            opened: now,
            heard: now,
            pinged: None,
            authorized: false,
            closed: false,
            next_subscription: 0,
        };
        (connection, frame::connection_established(socket_id, (app.activity_timeout / 1000).max(1)))
    }

    /// Its name.
    pub fn socket_id(&self) -> SocketId {
        self.socket_id
    }

    /// The user it is signed in as.
    pub fn user(&self) -> Option<&User> {
        self.user.as_deref()
    }

    /// The channels that it has subscribed to, or wants to.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.keys().map(|name| &**name)
    }

    /// The client has sent a message, in text or binary.
    pub fn message(&mut self, app: &AppConfig, bytes: &[u8], now: Millis, actions: &mut Vec<Action>) {
        if self.closed {
            return;
        }
        self.heard(now);
        let done = match message::parse(bytes, app.limits.message()) {
            Ok(Message::Subscribe(subscribe)) => {
                self.subscribe(app, subscribe, now, actions);
                Ok(())
            }
            Ok(Message::Unsubscribe { channel }) => {
                self.unsubscribe(channel, actions);
                Ok(())
            }
            Ok(Message::Ping) => {
                actions.push(Action::Send(frame::pong()));
                Ok(())
            }
            Ok(Message::Pong) => Ok(()),
            Ok(Message::SignIn(sign_in)) => self.sign_in(app, &sign_in, actions),
            Ok(Message::ClientEvent(event)) => self.client_event(app, &event, now).map(|event| actions.push(Action::ClientEvent(event))),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.fail(&error, actions);
        }
    }

    /// The client has sent something, such as a ping or a pong of the WebSocket's.
    pub fn heard(&mut self, now: Millis) {
        self.heard = now;
        self.pinged = None;
    }

    /// A subscription is done.
    pub fn subscribed(&mut self, channel: Channel<'_>, subscription: u32, joined: Joined, actions: &mut Vec<Action>) {
        match self.subscriptions.get_mut(channel.name) {
            Some(found) if found.number == subscription => found.pending = false,
            // The client has subscribed once more in the meantime, and so is a subscriber.
            Some(_) => return,
            // It has left in the meantime. Its going was perhaps carried out before its coming.
            None => return actions.push(Action::Unsubscribe { channel: channel.name.to_owned() }),
        }
        let name = channel.name;
        actions.push(Action::Send(match channel.kind.access {
            Access::Presence => frame::presence_succeeded(name, &joined.members),
            Access::Public | Access::Private | Access::Encrypted | Access::ServerToUser => frame::subscription_succeeded(name),
        }));
        if let Some(count) = joined.count {
            actions.push(Action::Send(frame::subscription_count(name, count)));
        }
        match joined.cached {
            _ if !channel.kind.cache => {}
            Some(event) => actions.push(Action::Send(event)),
            None => {
                actions.push(Action::Send(frame::cache_miss(name)));
                actions.push(Action::CacheMiss { channel: name.to_owned() });
            }
        }
    }

    /// A subscription could not be done.
    pub fn refused(&mut self, channel: &str, subscription: u32, error: &Error, actions: &mut Vec<Action>) {
        if self.subscriptions.get(channel).is_some_and(|found| found.number == subscription) {
            self.subscriptions.remove(channel);
            actions.push(Action::Send(frame::subscription_error(channel, error)));
        }
    }

    /// When [`tick`](Connection::tick) has something to do, if nothing is heard of the client before.
    pub fn deadline(&self, app: &AppConfig) -> Millis {
        let alive = match self.pinged {
            Some(pinged) => pinged.saturating_add(app.pong_timeout),
            None => self.heard.saturating_add(app.activity_timeout),
        };
        app.authorization_timeout.filter(|_| !self.authorized).map_or(alive, |timeout| alive.min(self.opened.saturating_add(timeout)))
    }

    /// Time has passed.
    pub fn tick(&mut self, app: &AppConfig, now: Millis, actions: &mut Vec<Action>) {
        if self.closed || now < self.deadline(app) {
            return;
        }
        let due = |since: Millis, timeout: Millis| now >= since.saturating_add(timeout);
        if !self.authorized && app.authorization_timeout.is_some_and(|timeout| due(self.opened, timeout)) {
            self.fail(&Error::NotAuthorizedInTime, actions);
        } else if self.pinged.is_some_and(|pinged| due(pinged, app.pong_timeout)) {
            self.fail(&Error::NoPong, actions);
        } else if self.pinged.is_none() && due(self.heard, app.activity_timeout) {
            self.pinged = Some(now);
            actions.push(Action::Send(frame::ping()));
        }
    }

    /// Tells the client what is wrong, and ends the connection if the error does: so the caller ends it too.
    pub fn fail(&mut self, error: &Error, actions: &mut Vec<Action>) {
        if self.closed {
            return;
        }
        actions.push(Action::Send(frame::error(error)));
        if let Some((code, reason)) = error.close() {
            self.closed = true;
            actions.push(Action::Close { code, reason });
        }
    }

    fn subscribe(&mut self, app: &AppConfig, subscribe: Subscribe, now: Millis, actions: &mut Vec<Action>) {
        let name = &subscribe.channel;
        if self.subscriptions.contains_key(&**name) {
            return self.fail(&Error::AlreadySubscribed(name.clone()), actions);
        }
        let (kind, member) = match self.examine(app, &subscribe, now) {
            Ok(examined) => examined,
            Err(error) => return actions.push(Action::Send(frame::subscription_error(name, &error))),
        };
        let number = self.next_subscription;
        self.next_subscription = number.wrapping_add(1);
        let user_id = member.as_ref().map(|member| member.user_id.clone());
        self.subscriptions.insert(name.as_str().into(), Subscription { number, pending: true, user_id });
        actions.push(Action::Subscribe { channel: subscribe.channel, kind, member, subscription: number });
    }

    /// Whether the client may subscribe, and as whom.
    fn examine(&mut self, app: &AppConfig, subscribe: &Subscribe, now: Millis) -> Result<(Kind, Option<Member>), Error> {
        let channel = Channel::parse(&subscribe.channel, &app.limits)?;
        if self.subscriptions.len() >= app.limits.channels {
            return Err(Error::TooManyChannels(app.limits.channels));
        }
        let data = subscribe.channel_data.as_deref();
        if channel.kind.needs_auth() {
            let auth = subscribe.auth.as_deref().unwrap_or_default();
            auth::verify_channel(app, self.socket_id, channel.name, data, auth)?;
            self.authorized = true;
        }
        if channel.user().is_some_and(|user| self.user().is_none_or(|own| *own.id != *user)) {
            return Err(Error::NotAuthorized("the connection is not signed in as this user"));
        }
        if channel.kind.needs_member() {
            // All members are told who comes and goes.
            let most = u32::try_from(app.limits.channels).unwrap_or(u32::MAX);
            let arrivals = self.arrivals.get_or_insert_with(|| Bucket::full(most, now));
            if !arrivals.take(ARRIVALS, most, now) {
                return Err(Error::TooManyArrivals(ARRIVALS));
            }
        }
        let member = match (channel.kind.needs_member(), data, self.user()) {
            (false, ..) => None,
            (true, Some(data), _) => Some(Member::parse(data, &app.limits)?),
            (true, None, Some(user)) => Some(Member::of(user)),
            (true, None, None) => return Err(Error::InvalidMember("it is missing, and the connection is not signed in")),
        };
        Ok((channel.kind, member))
    }

    fn unsubscribe(&mut self, channel: String, actions: &mut Vec<Action>) {
        if self.subscriptions.remove(&*channel).is_some() {
            actions.push(Action::Unsubscribe { channel });
        }
    }

    fn sign_in(&mut self, app: &AppConfig, sign_in: &SignIn, actions: &mut Vec<Action>) -> Result<(), Error> {
        if self.user.is_some() {
            return Err(Error::AlreadySignedIn);
        }
        auth::verify_user(app, self.socket_id, &sign_in.user_data, &sign_in.auth)?;
        let user = User::parse(&sign_in.user_data, &app.limits)?;
        self.authorized = true;
        self.user = Some(Box::new(user.clone()));
        let watchlist = user.watchlist.clone();
        actions.push(Action::SignIn(user));
        actions.push(Action::Send(frame::signin_success(&sign_in.user_data)));
        if !watchlist.is_empty() {
            actions.push(Action::Watch(watchlist));
        }
        Ok(())
    }
}
