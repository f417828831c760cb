//! What a route does with what its clients do: its application protocol.
//!
//! A [`Handler`] sees that a client has come, its messages, and its end, and answers with actions. It does no I/O, knows no clock and no
//! lock: the shard carries its actions out. [`Protocol`] is the list of handlers; a new one is a type here or in a crate of its own, and
//! a variant there.

use fws_session::{Closed, Event, Message, Opened};

/// An application protocol.
pub trait Handler {
    /// Whether PHP gets events of the route. Then new clients are refused while too many events wait, and what PHP is to be told of a
    /// request is kept until its connection is there.
    fn has_events(&self) -> bool;

    /// A client has come.
    fn opened(&self, opened: Box<Opened>, actions: &mut impl Actions);

    /// A message has come.
    fn message(&self, message: Message<'_>, actions: &mut impl Actions);

    /// The connection of a client broke, and it is waited for. The event that PHP is to be told, if it is.
    fn suspended(&self) -> Option<Event>;

    /// A client that was waited for is back. The event that PHP is to be told, if it is.
    fn resumed(&self, opened: Box<Opened>) -> Option<Event>;

    /// A client is gone, and nothing can be sent to it. The event that PHP is to be told, if it is.
    fn closed(&self, closed: Box<Closed>) -> Option<Event>;
}

/// What a handler can do.
pub trait Actions {
    /// Tells PHP.
    fn event(&mut self, event: Event);

    /// Sends a message to the client.
    fn send(&mut self, binary: bool, payload: &[u8]);
}

/// The application protocols that a route can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// See [`Echo`].
    Echo(Echo),
    /// See [`Worker`].
    Worker(Worker),
    /// See [`Pusher`].
    Pusher(Pusher),
}

impl Handler for Protocol {
    fn has_events(&self) -> bool {
        match self {
            Protocol::Echo(handler) => handler.has_events(),
            Protocol::Worker(handler) => handler.has_events(),
            Protocol::Pusher(handler) => handler.has_events(),
        }
    }

    fn opened(&self, opened: Box<Opened>, actions: &mut impl Actions) {
        match self {
            Protocol::Echo(handler) => handler.opened(opened, actions),
            Protocol::Worker(handler) => handler.opened(opened, actions),
            Protocol::Pusher(handler) => handler.opened(opened, actions),
        }
    }

    fn message(&self, message: Message<'_>, actions: &mut impl Actions) {
        match self {
            Protocol::Echo(handler) => handler.message(message, actions),
            Protocol::Worker(handler) => handler.message(message, actions),
            Protocol::Pusher(handler) => handler.message(message, actions),
        }
    }

    fn suspended(&self) -> Option<Event> {
        match self {
            Protocol::Echo(handler) => handler.suspended(),
            Protocol::Worker(handler) => handler.suspended(),
            Protocol::Pusher(handler) => handler.suspended(),
        }
    }

    fn resumed(&self, opened: Box<Opened>) -> Option<Event> {
        match self {
            Protocol::Echo(handler) => handler.resumed(opened),
            Protocol::Worker(handler) => handler.resumed(opened),
            Protocol::Pusher(handler) => handler.resumed(opened),
        }
    }

    fn closed(&self, closed: Box<Closed>) -> Option<Event> {
        match self {
            Protocol::Echo(handler) => handler.closed(closed),
            Protocol::Worker(handler) => handler.closed(closed),
            Protocol::Pusher(handler) => handler.closed(closed),
        }
    }
}

/// Every message goes back to its sender. PHP hears of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo;

impl Handler for Echo {
    fn has_events(&self) -> bool {
        false
    }

    fn opened(&self, _: Box<Opened>, _: &mut impl Actions) {}

    fn message(&self, message: Message<'_>, actions: &mut impl Actions) {
        actions.send(message.binary, message.payload.as_slice());
    }

    fn suspended(&self) -> Option<Event> {
        None
    }

    fn resumed(&self, _: Box<Opened>) -> Option<Event> {
        None
    }

    fn closed(&self, _: Box<Closed>) -> Option<Event> {
        None
    }
}

/// Everything is an event for a worker of PHP, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker;

impl Handler for Worker {
    fn has_events(&self) -> bool {
        true
    }

    fn opened(&self, opened: Box<Opened>, actions: &mut impl Actions) {
        actions.event(Event::Open(opened));
    }

    fn message(&self, message: Message<'_>, actions: &mut impl Actions) {
        actions.event(Event::Message { binary: message.binary, data: message.payload.into_boxed() });
    }

    fn suspended(&self) -> Option<Event> {
        Some(Event::Suspend)
    }

    fn resumed(&self, opened: Box<Opened>) -> Option<Event> {
        Some(Event::Resume(opened))
    }

    fn closed(&self, closed: Box<Closed>) -> Option<Event> {
        Some(Event::Close(closed))
    }
}

#[cfg(test)]
mod tests {
    use fws_wire::message::Payload;

    use super::*;

    #[derive(Default)]
    struct Done(Vec<String>);

    impl Actions for Done {
        fn event(&mut self, event: Event) {
            self.0.push(format!("event {event:?}"));
        }

        fn send(&mut self, binary: bool, payload: &[u8]) {
            self.0.push(format!("send {binary} {}", payload.escape_ascii()));
        }
    }

    fn message(binary: bool) -> Message<'static> {
        Message { binary, payload: Payload::Received(b"hi") }
    }

    #[test]
    fn the_echo_sends_messages_back_and_tells_php_nothing() {
        let (echo, mut done) = (Protocol::Echo(Echo), Done::default());
        let opened = Opened::default();
        echo.opened(Box::new(opened), &mut done);
        echo.message(message(true), &mut done);
        echo.message(message(false), &mut done);
        let closed = Closed { code: 1000, reason: String::new(), clean: true, failed: None };
        assert_eq!((done.0, echo.closed(Box::new(closed))), (vec!["send true hi".into(), "send false hi".into()], None));
        assert!(!echo.has_events());
    }

    #[test]
    fn a_worker_is_told_everything_and_nothing_is_sent_for_it() {
        let (worker, mut done) = (Protocol::Worker(Worker), Done::default());
        worker.message(message(true), &mut done);
        assert!(matches!(&done.0[..], [event] if event.starts_with("event Message { binary: true")), "{:?}", done.0);
        let closed = Box::new(Closed { code: 1000, reason: String::new(), clean: true, failed: None });
        assert_eq!(worker.closed(closed.clone()), Some(Event::Close(closed)));
        assert!(worker.has_events());
    }
}

/// The Pusher protocol: everything is an event for threads of the core, as it would be for a worker. They may wait for other servers, which a
/// shard must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pusher;

impl Handler for Pusher {
    fn has_events(&self) -> bool {
        true
    }

    fn opened(&self, opened: Box<Opened>, actions: &mut impl Actions) {
        actions.event(Event::Open(opened));
    }

    fn message(&self, message: Message<'_>, actions: &mut impl Actions) {
        actions.event(Event::Message { binary: message.binary, data: message.payload.into_boxed() });
    }

    fn suspended(&self) -> Option<Event> {
        None
    }

    fn resumed(&self, _: Box<Opened>) -> Option<Event> {
        None
    }

    fn closed(&self, closed: Box<Closed>) -> Option<Event> {
        Some(Event::Close(closed))
    }
}
