//! The client's side: commands for the server that this machine has, from a process that has none.
//!
//! Blocking, and without a thread: a script waits for its answer anyway.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use fws_hub::{Command, CommandError, Reply};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::{getegid, geteuid};
use socket2::SockRef;

use super::choose::Origin;
use super::description::Description;
use super::location::{Location, Surroundings, VARIABLE, Why};
use super::place;
use super::protocol::{Answer, Batch, Frames, GREETING, Greeting, read};
use super::registry;
use crate::link::NOSIGNAL;

/// How long it may take until a server has greeted.
const CONNECTED: Duration = Duration::from_secs(1);
/// How long a server may do nothing about commands.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much is read at a time.
const READ: usize = 64 << 10;

/// Why the server could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct RemoteError {
    /// Of what kind it is.
    pub failure: RemoteFailure,
    /// A sentence that names the path, and says what would be right.
    pub text: String,
}

/// Kinds of [`RemoteError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteFailure {
    /// No server answers at the socket.
    NoServer,
    /// This user may not use the socket, or its place is not to be trusted.
    Denied,
    /// The server is of another version.
    OtherVersion,
    /// The connection was lost while commands were on their way: whether they were carried out is unknown.
    Lost,
    /// There are several servers, and it is not certain which one is meant.
    Ambiguous,
}

/// The server of this machine, connected to when it is first asked something, and anew when the connection was lost.
#[derive(Debug, Default)]
pub struct Remote {
    origin: Origin,
    connection: Option<Connection>,
    /// The server that was found first: another one that is there in its place is not meant.
    former: Option<Description>,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    frames: Frames,
    scratch: Box<[u8]>,
    location: Location,
}

impl Remote {
    /// For a process that runs `script`, if it runs one: its folder and the working directory tell which project it belongs to.
    pub fn new(script: Option<&Path>) -> Remote {
        Remote { origin: Origin::own(script), connection: None, former: None }
    }

    /// Finds the server that is meant.
    fn find(&mut self) -> Result<Location, RemoteError> {
        let surroundings = Surroundings::own();
        if let Some(named) = surroundings.socket() {
            return Ok(named);
        }
        let server = self.origin.choose(found(&surroundings)?, self.former.as_ref())?;
        let Some(socket) = server.socket.clone() else {
            return Err(RemoteError {
                failure: RemoteFailure::NoServer,
                text: format!("the server of this project cannot be asked: {server}"),
            });
        };
        self.former = Some(server.clone());
        Ok(Location { path: socket, why: Why::Described(Box::new(server)) })
    }

    /// Has a server carry out commands, in order; `each` is given the answers in the same order. After an error an unknown part of the
    /// commands was carried out, and none if it is not [`RemoteFailure::Lost`].
    pub fn run(&mut self, batch: &Batch, mut each: impl FnMut(Result<Reply, CommandError>)) -> Result<(), RemoteError> {
        let mut unsent = batch.bytes();
        // A connection that has been idle may have ended with its server. Then nothing is sent on it, and there may be a new server.
        let known = self.connection.take().filter(|connection| connection.send_some(&mut unsent).is_ok());
        let mut connection = match known {
            Some(connection) => connection,
            None => Connection::new(self.find()?, Instant::now() + CONNECTED)?,
        };
        connection.exchange(unsent, batch.len(), &mut each)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// [`Remote::run`] for one command.
    pub fn call(&mut self, batch: &Batch) -> Result<Result<Reply, CommandError>, RemoteError> {
        let mut answer = None;
        self.run(batch, |given| answer = Some(given))?;
        Ok(answer.expect("bug: a command without an answer"))
    }
}

impl Connection {
    fn new(location: Location, until: Instant) -> Result<Connection, RemoteError> {
        let stream = connect(&location, until).map_err(|why| refused(&location, &why))?;
        let mut connection = Connection { stream, frames: Frames::default(), scratch: vec![0; READ].into(), location };
        connection.greet(until)?;
        Ok(connection)
    }

    fn greet(&mut self, until: Instant) -> Result<(), RemoteError> {
        let own = Greeting::own();
        let path = self.location.path.display().to_string();
        let silent = |why: io::Error| RemoteError {
            failure: RemoteFailure::NoServer,
            text: format!("whoever listens at {path} does not answer as a server of frankenphp-ws does ({why})"),
        };
        // So short that an empty socket takes it whole.
        let sent = send(&self.stream, &own.encode());
        let mut greeting = [0; GREETING];
        let mut got = 0;
        while got < GREETING {
            wait(&self.stream, PollFlags::POLLIN, until).map_err(silent)?;
            match self.stream.read(&mut greeting[got..]) {
                Ok(0) => return Err(silent(io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => got += n,
                Err(why) if again(&why) => {}
                Err(why) => return Err(silent(why)),
            }
        }
        let other = Greeting::decode(&greeting).ok_or_else(|| silent(io::Error::other("it says something else")))?;
        if let Some(mismatch) = own.mismatch(&other) {
            let text = format!("the server at {path} is of another version: {mismatch}. Run the script with the server's own frankenphp");
            return Err(RemoteError { failure: RemoteFailure::OtherVersion, text });
        }
        if let Err(why) = sent {
            // The server has ended the connection before we spoke. It has said why, unless it died.
            return Err(self.parting(until).unwrap_or_else(|| silent(why)));
        }
        self.stream.set_nonblocking(false).and_then(|()| self.stream.set_read_timeout(Some(PATIENCE))).map_err(silent)
    }

    /// What a server that has ended the connection said last, if it said why.
    fn parting(&mut self, until: Instant) -> Option<RemoteError> {
        loop {
            wait(&self.stream, PollFlags::POLLIN, until).ok()?;
            match self.stream.read(&mut self.scratch) {
                Ok(0) => return None,
                Ok(n) => self.frames.buffer.extend_from_slice(&self.scratch[..n]),
                Err(why) if again(&why) => continue,
                Err(_) => return None,
            }
            if let Some(frame) = self.frames.next(READ).ok()? {
                return match read(&self.frames.buffer[frame]).ok()? {
                    Answer::Goodbye(why) => Some(self.goodbye(&why, 0)),
                    Answer::Denied(why) => Some(self.denied(&why)),
                    Answer::Reply(_) | Answer::Refused(_) => None,
                };
            }
        }
    }

    /// Sends as much as the socket takes at once. An error: nothing was sent by this call.
    fn send_some(&self, unsent: &mut &[u8]) -> io::Result<()> {
        match send(&self.stream, unsent) {
            Ok(n) => *unsent = &unsent[n..],
            Err(why) if again(&why) => {}
            Err(why) => return Err(why),
        }
        Ok(())
    }

    /// Sends and receives at once: a server that waits until its answers are read must not wait for one who only sends.
    fn exchange(&mut self, mut unsent: &[u8], count: usize, each: &mut impl FnMut(Result<Reply, CommandError>)) -> Result<(), RemoteError> {
        let mut answers = 0;
        while answers < count {
            if !unsent.is_empty() {
                wait(&self.stream, PollFlags::POLLIN | PollFlags::POLLOUT, Instant::now() + PATIENCE).map_err(|why| self.lost(&why))?;
                if self.send_some(&mut unsent).is_err() {
                    // Why may be among the answers.
                    unsent = &[];
                }
            }
            // Only who has sent everything can wait here.
            let flags = if unsent.is_empty() { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
            match recv(self.stream.as_raw_fd(), &mut self.scratch, flags).map_err(io::Error::from) {
                Ok(0) => return Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => self.frames.buffer.extend_from_slice(&self.scratch[..n]),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                // Nothing yet, or, where it has waited, nothing for as long as it may wait.
                Err(why) if why.kind() == io::ErrorKind::WouldBlock && !unsent.is_empty() => {}
                Err(why) => return Err(self.lost(&why)),
            }
            while let Ok(Some(frame)) = self.frames.next(usize::MAX) {
                match read(&self.frames.buffer[frame]) {
                    Ok(Answer::Reply(reply)) => each(Ok(reply)),
                    Ok(Answer::Refused(why)) => each(Err(why)),
                    Ok(Answer::Goodbye(why)) => return Err(self.goodbye(&why, answers)),
                    Ok(Answer::Denied(why)) => return Err(self.denied(&why)),
                    Err(why) => return Err(self.lost(&io::Error::other(why))),
                }
                answers += 1;
            }
            self.frames.compact();
        }
        Ok(())
    }

    /// The server has said why it ends the connection.
    fn goodbye(&self, why: &str, answers: usize) -> RemoteError {
        let failure = if answers == 0 { RemoteFailure::NoServer } else { RemoteFailure::Lost };
        RemoteError { failure, text: format!("the server at {} has ended the connection: {why}", self.location.path.display()) }
    }

    /// The server has said that this process is not for it.
    fn denied(&self, why: &str) -> RemoteError {
        let path = self.location.path.display();
        RemoteError { failure: RemoteFailure::Denied, text: format!("the server at {path} has refused this process: {why}") }
    }

    fn lost(&self, why: &io::Error) -> RemoteError {
        let text = format!(
            "the connection to the server at {} was lost before it answered, so that it is unknown whether the command was carried out ({why})",
            self.location.path.display()
        );
        RemoteError { failure: RemoteFailure::Lost, text }
    }
}

/// Without waiting, and not by write: that would raise SIGPIPE, whose handler is the host's.
fn send(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(stream).send_with_flags(bytes, MsgFlags::MSG_DONTWAIT.bits() | NOSIGNAL)
}

fn again(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Waits until the socket is ready.
fn wait(stream: &UnixStream, events: PollFlags, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(stream.as_fd(), events)], timeout) {
            Ok(0) if Instant::now() >= until => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(why) => return Err(why.into()),
        }
    }
}

/// Connects without ever blocking: the queue of a server that does not accept may be full.
fn connect(location: &Location, until: Instant) -> io::Result<UnixStream> {
    loop {
        match place::connect(&location.path) {
            Ok(stream) => return Ok(stream),
            Err(why) if again(&why) && Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Err(why) if again(&why) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not accept")),
            Err(why) => return Err(why),
        }
    }
}

/// The servers that this user can find; at least one.
fn found(surroundings: &Surroundings) -> Result<Vec<Description>, RemoteError> {
    let (mut servers, mut wrong, mut looked) = (Vec::new(), Vec::new(), Vec::new());
    for folder in surroundings.folders() {
        looked.push(folder.path.display().to_string());
        match folder.check() {
            Ok(false) => {}
            Ok(true) => match registry::servers(&folder.path) {
                Ok(found) => servers.extend(found),
                Err(why) => wrong.push(format!("{}: {why}", folder.path.display())),
            },
            Err(why) => wrong.push(why),
        }
    }
    if !servers.is_empty() {
        return Ok(servers);
    }
    let failure = if wrong.is_empty() { RemoteFailure::NoServer } else { RemoteFailure::Denied };
    let wrong = if wrong.is_empty() { String::new() } else { format!(" ({})", wrong.join("; ")) };
    let text = format!(
        "no server answers: none has its control socket in {}{wrong}. A server has one there when it was started as the same user, with a \
         websocket directive and without `control off`; {VARIABLE} can name another place",
        looked.join(" or "),
    );
    Err(RemoteError { failure, text })
}

/// Why connecting failed, with what would be right.
fn refused(location: &Location, why: &io::Error) -> RemoteError {
    let path = location.path.display();
    if why.kind() != io::ErrorKind::PermissionDenied {
        let text = format!(
            "no server answers at {path} ({why}), {location}. A server has its control socket there when it was started as the same user, \
             with a websocket directive and without `control off`"
        );
        return RemoteError { failure: RemoteFailure::NoServer, text };
    }
    let owner = fs::symlink_metadata(&location.path).map_or_else(
        |_| "a folder above it is not open to this user".to_owned(),
        |found| format!("it belongs to user {} and group {}, with mode {:04o}", found.uid(), found.gid(), found.mode() & 0o7777),
    );
    let text = format!(
        "permission denied at {path}, {location}: {owner}, and this process is user {} and group {}. Run the script as that user, or give the \
         server's option control a mode and a group",
        geteuid(),
        getegid()
    );
    RemoteError { failure: RemoteFailure::Denied, text }
}

/// A command alone.
impl From<&Command<'_>> for Batch {
    fn from(command: &Command<'_>) -> Batch {
        let mut batch = Batch::default();
        batch.push(command);
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::write;
    use std::io::Write;

    /// What a client is told by a server that has said this and closed the connection before the client spoke.
    fn told(last: Option<&Answer>) -> RemoteError {
        let (mut server, stream) = UnixStream::pair().expect("sockets");
        stream.set_nonblocking(true).expect("non-blocking");
        let mut said = Greeting::own().encode().to_vec();
        if let Some(last) = last {
            write(&mut said, last);
        }
        server.write_all(&said).expect("room");
        drop(server);
        let location = Location { path: "/x/ctl.sock".into(), why: Why::Variable };
        let mut connection = Connection { stream, frames: Frames::default(), scratch: vec![0; READ].into(), location };
        connection.greet(Instant::now() + CONNECTED).expect_err("it is closed")
    }

    #[test]
    fn who_is_turned_away_before_it_has_spoken_is_told_why() {
        let denied = told(Some(&Answer::Denied("not for you".into())));
        assert_eq!(denied.failure, RemoteFailure::Denied);
        assert!(denied.text.contains("/x/ctl.sock has refused this process: not for you"), "{denied}");
        let busy = told(Some(&Answer::Goodbye("too many".into())));
        assert_eq!(busy.failure, RemoteFailure::NoServer);
        assert!(busy.text.contains("too many"), "{busy}");
        let died = told(None);
        assert_eq!(died.failure, RemoteFailure::NoServer);
        assert!(died.text.contains("does not answer as a server"), "{died}");
    }
}
