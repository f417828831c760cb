//! What carries a connection's bytes, as its shard sees it: a socket of its own, or a pipe to the host.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use fws_hub::Key;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::{MsgHdr, Socket};

use crate::pipe::Pipe;
use crate::quota::{Address, Quota};

/// A socket, or what stands for one.
pub enum Link {
    /// It is still to come: the client has no answer to its handshake yet.
    Pending,
    /// It broke, and the client is waited for.
    Absent,
    Socket(Socket),
    Pipe(Arc<Pipe>),
}

impl Link {
    pub fn is_pending(&self) -> bool {
        matches!(self, Link::Pending)
    }

    /// Whether this is the pipe.
    pub fn is(&self, pipe: &Pipe) -> bool {
        match self {
            Link::Pipe(own) => std::ptr::eq(&**own, pipe),
            Link::Pending | Link::Absent | Link::Socket(_) => false,
        }
    }

    /// Readiness of a socket is told by epoll, that of a pipe by [`crate::shard::Op::PipeReady`].
    pub fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Link::Socket(socket) => registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE | Interest::WRITABLE),
            Link::Pipe(_) | Link::Pending | Link::Absent => Ok(()),
        }
    }

    /// The end: nothing of it is of use any more.
    pub fn end(&self, registry: &Registry) {
        match self {
            Link::Socket(socket) => {
                let _ = registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
            }
            Link::Pipe(pipe) => pipe.finish_all(),
            Link::Pending | Link::Absent => {}
        }
    }

    /// Closes what is ours of it, and gives its place back: that of a pipe is free when the host is through with it, too.
    pub fn give_up(self, quota: &Quota, address: Option<Address>, key: Key) {
        match self {
            Link::Socket(socket) => {
                drop(socket);
                quota.closed(address, key);
            }
            Link::Pipe(pipe) => drop(pipe),
            Link::Pending | Link::Absent => quota.closed(address, key),
        }
    }

    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Socket(socket) => socket.read(buffer),
            Link::Pipe(pipe) => pipe.read(buffer),
            Link::Pending | Link::Absent => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Whether there is more to read, after a read: `filled` says that it filled its buffer, or that the end was announced.
    #[inline]
    pub fn has_more(&self, filled: bool) -> bool {
        match self {
            // A short read of a stream has emptied it; the next byte raises a new event.
            Link::Socket(_) => filled,
            Link::Pipe(pipe) => pipe.is_readable(),
            Link::Pending | Link::Absent => false,
        }
    }

    #[inline]
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            // Not write or writev: they would raise SIGPIPE, whose handler is the host's. One buffer goes the shorter way.
            Link::Socket(socket) => match slices {
                [one] => socket.send_with_flags(one, NOSIGNAL),
                several => socket.sendmsg(&MsgHdr::new().with_buffers(several), NOSIGNAL),
            },
            Link::Pipe(pipe) => pipe.write(slices),
            Link::Pending | Link::Absent => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Closes our end.
    pub fn half_close(&self) {
        match self {
            // An error means that the peer has closed already.
            Link::Socket(socket) => drop(socket.shutdown(Shutdown::Write)),
            Link::Pipe(pipe) => pipe.finish(),
            Link::Pending | Link::Absent => {}
        }
    }
}

/// A write to a closed socket is an error, not a signal.
pub(crate) const NOSIGNAL: i32 = libc::MSG_NOSIGNAL;
