//! A locked file says that the server which made it lives: the kernel gives the lock back however a process ends.
//!
//! Process ids do not tell that: they are used again, and mean nothing in another container.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// A file that this process has made and locked. Dropped, it is removed.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    lock: Flock<File>,
    identity: Identity,
}

/// Device and inode: whether a path still leads to the same file.
pub type Identity = (u64, u64);

/// Of what is at a path now, not of what a symbolic link there points to.
pub fn identity(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl FileLock {
    /// Makes and locks the file; `None`: another process has locked it.
    pub fn take(path: &Path) -> io::Result<Option<FileLock>> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
            match Flock::lock(options.open(path)?, FlockArg::LockExclusiveNonblock) {
                Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, why)) => return Err(why.into()),
                Ok(lock) => {
                    let found = lock.metadata()?;
                    let ours = (found.dev(), found.ino());
                    // Its last holder may have removed it between our open and our lock: then another one may be there by now.
                    if identity(path) == Some(ours) {
                        return Ok(Some(FileLock { path: path.into(), lock, identity: ours }));
                    }
                }
            }
        }
    }

    /// Whether the file is still where it was made. Programs that clean /tmp remove old files, locked or not.
    pub fn is_there(&self) -> bool {
        identity(&self.path) == Some(self.identity)
    }

    /// Makes the file young again, for the programs that clean /tmp.
    pub fn touch(&self) {
        let _ = self.lock.set_modified(std::time::SystemTime::now());
    }

    /// For [`super::forked`].
    pub fn descriptor(&self) -> RawFd {
        self.lock.as_raw_fd()
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether whoever made a lock file lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Living,
    Dead,
    /// This user may not look, or the file is gone.
    Unknown,
}

/// Looks, without making or changing anything.
pub fn life(path: &Path) -> Life {
    let mut options = OpenOptions::new();
    let Ok(file) = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) else { return Life::Unknown };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Err((_, Errno::EWOULDBLOCK)) => Life::Living,
        Err(_) => Life::Unknown,
        Ok(_) => Life::Dead,
    }
}
