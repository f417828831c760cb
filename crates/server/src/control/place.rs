//! The control socket in the file system: whose it is, who may use it, and that nothing of it stays behind.
//!
//! A lock file beside the socket says that its server lives: the kernel gives the lock back however a process ends, so a socket without
//! a locked file is a dead server's and is replaced.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;

use super::location::Location;

/// A socket that this process serves. Dropped, it is gone from the file system.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    lock_path: PathBuf,
    lock: Flock<fs::File>,
    listener: RawFd,
}

/// What a forked child must close, see [`forked`]: the lock and the listener of the place that was taken last.
static DESCRIPTORS: [AtomicI32; 2] = [AtomicI32::new(-1), AtomicI32::new(-1)];

/// To be called in a child that was forked and goes on without exec: it must neither keep the lock when the server is gone nor be what
/// clients connect to. Does nothing but close descriptors, as is allowed there.
pub fn forked() {
    for descriptor in &DESCRIPTORS {
        let fd = descriptor.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            let _ = nix::unistd::close(fd);
        }
    }
}

impl Place {
    /// Takes the place and listens. The error is a sentence that names the path.
    pub fn take(location: &Location, mode: u32, group: Option<u32>) -> Result<(Place, UnixListener), String> {
        location.check(true)?;
        let path = &location.path;
        let failed = |why: io::Error| match why.raw_os_error() {
            Some(libc::ENOENT) => format!("{}: its folder does not exist", path.display()),
            _ => format!("{}: {why}", path.display()),
        };
        let (lock_path, lock) = lock(path).map_err(failed)?.ok_or_else(|| {
            format!("{} belongs to another server that runs: only that one can be reached from the command line", path.display())
        })?;
        let listener = listen(path, mode, group).inspect_err(|_| drop(fs::remove_file(&lock_path))).map_err(failed)?;
        let place = Place { path: path.clone(), lock_path, lock, listener: listener.as_raw_fd() };
        DESCRIPTORS[0].store(place.lock.as_raw_fd(), Ordering::Relaxed);
        DESCRIPTORS[1].store(place.listener, Ordering::Relaxed);
        Ok((place, listener))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for (descriptor, ours) in DESCRIPTORS.iter().zip([self.lock.as_raw_fd(), self.listener]) {
            let _ = descriptor.compare_exchange(ours, -1, Ordering::Relaxed, Ordering::Relaxed);
        }
        // In this order: whoever takes the lock finds either both or a free place.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// `path` with something behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Locks the file beside the socket; `None`: another process has it.
fn lock(path: &Path) -> io::Result<Option<(PathBuf, Flock<fs::File>)>> {
    let path = beside(path, ".lock");
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        match Flock::lock(options.open(&path)?, FlockArg::LockExclusiveNonblock) {
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, why)) => return Err(why.into()),
            Ok(lock) => {
                // Its last holder may have removed it between our open and our lock: then another one may be there by now.
                let ours = lock.metadata()?;
                if fs::symlink_metadata(&path).is_ok_and(|found| (found.dev(), found.ino()) == (ours.dev(), ours.ino())) {
                    return Ok(Some((path, lock)));
                }
            }
        }
    }
}

/// Binds beside the path and moves the socket there, so that nobody can connect before mode and group are right.
fn listen(path: &Path, mode: u32, group: Option<u32>) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else, which is not a socket"));
        }
        _ => {}
    }
    let new = beside(path, ".new");
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(|why| match why.kind() {
        io::ErrorKind::InvalidInput => io::Error::new(why.kind(), "the path of a socket has at most 103 bytes"),
        _ => why,
    })?;
    let moved = (|| {
        if group.is_some() {
            std::os::unix::fs::lchown(&new, None, group)?;
        }
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        fs::rename(&new, path)
    })();
    if moved.is_err() {
        let _ = fs::remove_file(&new);
    }
    moved.map(|()| listener)
}
