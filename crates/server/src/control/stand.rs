//! All that a server has in the file system for its control socket: its entry among the servers, and the socket.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::description::{Description, Project};
use super::location::{Location, Surroundings, Why};
use super::peer::Guard;
use super::place::{Access, SocketFile, keep_from_children};
use super::registry::Entry;

/// What a server wants to have.
#[derive(Debug, Clone)]
pub struct Wish {
    /// It is described, and cannot be asked.
    pub off: bool,
    /// A path of the user's choice; absent: the server's own, in the folder of sockets.
    pub named: Option<Location>,
    pub access: Access,
    pub surroundings: Surroundings,
}

/// What a server has. Dropped, nothing of it stays behind.
#[derive(Debug)]
pub struct Stand {
    socket: Option<SocketFile>,
    entry: Option<Entry>,
    /// Why the server has no socket, if it shall have none, or has none yet.
    without: Option<String>,
    /// What is not as it should be, though the server can be asked.
    pub flaw: Option<String>,
}

/// A listener, and whom it is for.
#[derive(Debug)]
pub struct Door {
    pub listener: UnixListener,
    pub guard: Guard,
}

impl Stand {
    /// Takes what is wished. Where the path is another server's, the door is missing. The error is a sentence that names the path.
    pub fn take(wish: &Wish, project: &Project) -> Result<(Stand, Option<Door>), String> {
        let mut stand = Stand { socket: None, entry: None, without: None, flaw: None };
        match Entry::make(&wish.surroundings.folders()) {
            Ok(entry) => stand.entry = Some(entry),
            Err(why) if wish.named.is_some() => stand.flaw = Some(why),
            Err(why) => return Err(why),
        }
        let door = stand.open(wish, project)?;
        Ok((stand, door))
    }

    /// Listens, if that is wished and possible, and tells others.
    pub fn open(&mut self, wish: &Wish, project: &Project) -> Result<Option<Door>, String> {
        let door = if wish.off { self.be_without("control off".into()) } else { self.listen(wish)? };
        self.describe(project);
        let locks = [self.entry.as_ref().map(Entry::lock), self.socket.as_ref().and_then(SocketFile::lock)];
        let [entry, path] = locks.map(|lock| lock.map(|lock| lock.descriptor()));
        keep_from_children([entry, path, door.as_ref().map(|door| door.listener.as_raw_fd())]);
        Ok(door)
    }

    fn be_without(&mut self, why: String) -> Option<Door> {
        self.without = Some(why);
        None
    }

    fn listen(&mut self, wish: &Wish) -> Result<Option<Door>, String> {
        let (path, opened) = match (&wish.named, &self.entry) {
            (Some(named), _) => (named.path.clone(), SocketFile::at(&named.path, wish.access)),
            (None, Some(entry)) => (entry.socket(), SocketFile::own(&entry.socket(), &entry.room(), wish.access).map(Some)),
            (None, None) => return Err("bug: neither a path nor a folder for the control socket".into()),
        };
        let Some((socket, listener)) = opened.map_err(|why| failed(&path, &why))? else {
            return Ok(self.be_without(format!("another server that runs has {}", path.display())));
        };
        let group = std::fs::symlink_metadata(&socket.path).map_err(|why| failed(&path, &why))?.gid();
        self.socket = Some(socket);
        self.without = None;
        Ok(Some(Door { listener, guard: Guard::new(wish.access, group) }))
    }

    /// Tells others about the server, anew if it was told before.
    pub fn describe(&mut self, project: &Project) {
        let Some(entry) = &self.entry else { return };
        let mut description = Description::own(project);
        description.socket = self.path().map(Into::into);
        description.without.clone_from(&self.without);
        if let Err(why) = entry.describe(&description) {
            self.flaw = Some(format!("{}: {why}", entry.socket().display()));
        }
    }

    /// The path of the socket.
    pub fn path(&self) -> Option<&Path> {
        self.socket.as_ref().map(|socket| socket.path.as_path())
    }

    /// Why there is no socket though there should be one.
    pub fn waits(&self, wish: &Wish) -> Option<&str> {
        self.without.as_deref().filter(|_| !wish.off)
    }

    /// Whether everything is where it was made.
    pub fn is_there(&self) -> bool {
        self.socket.as_ref().is_none_or(SocketFile::is_there) && self.entry.as_ref().is_none_or(Entry::is_there)
    }

    /// Makes the files young again, for the programs that clean /tmp.
    pub fn touch(&self) {
        if let Some(entry) = &self.entry {
            entry.touch();
        }
        if let Some(lock) = self.socket.as_ref().and_then(SocketFile::lock) {
            lock.touch();
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        // These numbers are others' descriptors soon.
        keep_from_children([None; 3]);
        // First: nobody shall find what is about to go.
        if let Some(entry) = &self.entry {
            entry.withdraw();
        }
    }
}

fn failed(path: &Path, why: &io::Error) -> String {
    match why.raw_os_error() {
        Some(libc::ENOENT) => format!("{}: its folder does not exist", path.display()),
        _ => format!("{}: {why}", path.display()),
    }
}

impl Wish {
    /// A path that the configuration names goes before one of the environment.
    pub fn new(off: bool, path: Option<&Path>, access: Access) -> Wish {
        let surroundings = Surroundings::own();
        let configured = path.map(|path| Location { path: path.into(), why: Why::Configured });
        Wish { off, named: configured.or_else(|| surroundings.socket()), access, surroundings }
    }
}
