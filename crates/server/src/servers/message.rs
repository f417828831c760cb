//! What servers send each other.

use fws_hub::Command;
use serde::{Deserialize, Serialize};

use crate::control::protocol::read;
use crate::core::{Fate, Handed, Seen, Sent, Wanted, Yields};

/// What one server sends to another.
#[derive(Debug, Deserialize)]
pub(super) enum Message<'a> {
    /// To be carried out; answered with a [`Reply`](fws_hub::Reply) or an error.
    #[serde(borrow)]
    Command(Command<'a>),
    /// A client has come, and its session is wanted; answered with [`Handed`].
    Want(Wanted),
    /// A client is to have this id; answered with [`Yields`], whether the one that has it goes. The second time with what was answered the first time.
    MakeWay(&'a str, Option<Seen>),
    /// Whether clients have arrived that were given to this server; answered with a [`Fate`] for each.
    HaveArrived(Vec<Sent>),
}

/// The same, to be encoded.
#[derive(Serialize)]
enum Lent<'a> {
    Command(&'a Command<'a>),
    Want(&'a Wanted),
    MakeWay(&'a str, Option<Seen>),
    HaveArrived(&'a [Sent]),
}

impl Lent<'_> {
    fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("bug: a message that cannot be encoded")
    }
}

/// A command for other servers.
pub(super) fn of(command: &Command<'_>) -> Vec<u8> {
    Lent::Command(command).encode()
}

/// A question for a session.
pub(crate) fn want(wanted: &Wanted) -> Vec<u8> {
    Lent::Want(wanted).encode()
}

/// The answer to it. `None`: it cannot be read.
pub(crate) fn handed(answer: &[u8]) -> Option<Handed> {
    read(answer).ok()
}

/// A question for an id.
pub(super) fn make_way(id: &str, seen: Option<Seen>) -> Vec<u8> {
    Lent::MakeWay(id, seen).encode()
}

/// The answer to it.
pub(super) fn yields(answer: &[u8]) -> Yields {
    read(answer).unwrap_or(Yields::No)
}

/// A question whether clients have arrived.
pub(crate) fn have_arrived(sent: &[Sent]) -> Vec<u8> {
    Lent::HaveArrived(sent).encode()
}

/// The answer to it. `None`: it cannot be read.
pub(crate) fn fates(answer: &[u8]) -> Option<Vec<Fate>> {
    read(answer).ok()
}

/// A command that was sent. `None`: it is something else.
pub(crate) fn command(message: &[u8]) -> Option<Command<'_>> {
    match read(message) {
        Ok(Message::Command(command)) => Some(command),
        Ok(Message::Want(_) | Message::MakeWay(..) | Message::HaveArrived(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use fws_hub::command::Describe;

    use super::*;

    #[test]
    fn a_command_comes_back_as_it_was_sent() {
        let sent = Command::Client(Describe { id: "ann" });
        assert_eq!(command(&of(&sent)), Some(sent));
        assert_eq!(command(b""), None);
    }
}
