//! A control socket in the file system: how it is made, whose it is, and that nothing of it stays behind.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};

use super::lock::{FileLock, Identity, identity};
use super::registry::{beside, random};

/// The longest path of a socket on every system, bytes.
pub const LONGEST_PATH: usize = 103;
/// The name of a socket inside the folder in which it is made.
pub const INSIDE: &str = "s";

/// A socket that this process listens at. Dropped, it is gone from the file system.
#[derive(Debug)]
pub struct SocketFile {
    pub path: PathBuf,
    identity: Option<Identity>,
    /// Where the path is of the user's choice: another server may have been given the same.
    lock: Option<FileLock>,
}

/// Who may use a socket, as the operator says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub mode: u32,
    pub group: Option<u32>,
}

impl SocketFile {
    /// Listens at a path that the user has chosen; `None`: another server of ours has it. An error is about the path.
    pub fn at(path: &Path, access: Access) -> io::Result<Option<(SocketFile, UnixListener)>> {
        let Some(lock) = FileLock::take(&beside(path, ".lock"))? else { return Ok(None) };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else, which is not a socket"));
            }
            Ok(_) if answers(path) => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens there, which is no server of frankenphp-ws"));
            }
            _ => {}
        }
        let room = path.with_file_name(format!(".{}", random()?));
        SocketFile::listen(path, &room, access, Some(lock)).map(Some)
    }

    /// Listens at a path that nobody else can have; `room` is a folder that is made for a moment.
    pub fn own(path: &Path, room: &Path, access: Access) -> io::Result<(SocketFile, UnixListener)> {
        SocketFile::listen(path, room, access, None)
    }

    /// Binds in a folder that nobody else can enter, and moves the socket to its path once mode and group are right.
    fn listen(path: &Path, room: &Path, access: Access, lock: Option<FileLock>) -> io::Result<(SocketFile, UnixListener)> {
        let new = room.join(INSIDE);
        let long = path.as_os_str().len().max(new.as_os_str().len());
        if long > LONGEST_PATH {
            let text = format!("the path of a socket has at most {LONGEST_PATH} bytes, and the server needs {long} here, to make it");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        DirBuilder::new().mode(0o700).create(room)?;
        let made = (|| {
            let listener = UnixListener::bind(&new)?;
            if access.group.is_some() {
                std::os::unix::fs::lchown(&new, None, access.group)?;
            }
            fs::set_permissions(&new, fs::Permissions::from_mode(access.mode))?;
            listener.set_nonblocking(true)?;
            let identity = identity(&new);
            fs::rename(&new, path)?;
            Ok((SocketFile { path: path.into(), identity, lock }, listener))
        })();
        if made.is_err() {
            let _ = fs::remove_file(&new);
        }
        let _ = fs::remove_dir(room);
        made
    }

    /// Whether it is still where it was made.
    pub fn is_there(&self) -> bool {
        self.identity.is_some() && identity(&self.path) == self.identity && self.lock.as_ref().is_none_or(FileLock::is_there)
    }

    /// The lock, where the path needs one.
    pub fn lock(&self) -> Option<&FileLock> {
        self.lock.as_ref()
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Before the lock is given back: whoever takes that finds a free path. What another has put there is not ours to remove.
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether somebody listens at a path, as far as this user can know.
pub fn answers(path: &Path) -> bool {
    match connect(path) {
        Ok(_) => true,
        // A queue that is full is a sign of life.
        Err(why) => !matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused),
    }
}

/// Connects without waiting: the queue of a server that does not accept may be full, which is `WouldBlock`. The stream does not block.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&address)?;
    Ok(socket.into())
}

/// What a forked child must close, see [`forked`]: locks and the listener.
static DESCRIPTORS: [AtomicI32; 3] = [AtomicI32::new(-1), AtomicI32::new(-1), AtomicI32::new(-1)];

/// Says what a forked child must close from now on.
pub fn keep_from_children(descriptors: [Option<RawFd>; 3]) {
    for (kept, descriptor) in DESCRIPTORS.iter().zip(descriptors) {
        kept.store(descriptor.unwrap_or(-1), Ordering::Relaxed);
    }
}

/// To be called in a child that was forked and goes on without exec: it must neither keep the locks when the server is gone nor be what
/// clients connect to. Does nothing but close descriptors, as is allowed there.
pub fn forked() {
    for descriptor in &DESCRIPTORS {
        let fd = descriptor.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            let _ = nix::unistd::close(fd);
        }
    }
}
