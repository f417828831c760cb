//! The one descriptor by which the core calls its host.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// An eventfd that is readable while something waits for the host.
#[derive(Debug)]
pub struct Notifier {
    fd: EventFd,
    raised: AtomicBool,
}

impl Notifier {
    pub fn new() -> io::Result<Notifier> {
        let fd = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Notifier { fd, raised: AtomicBool::new(false) })
    }

    /// Something waits. Costs a system call only once until the host has begun to take.
    pub fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            // It can only fail when the counter is full: then the descriptor is readable anyway.
            let _ = self.fd.write(1);
        }
    }

    /// The host takes now; what comes from here on raises the flag again.
    pub fn lower(&self) {
        self.raised.store(false, Ordering::Release);
    }

    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
