//! The places where the operating system is met without a safe wrapper's help.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::signal::SigSet;
use socket2::Socket;

/// The most bytes that the kernel keeps for a client beyond what it has sent: what a slow client is to get waits in its outbox, where it is
/// bounded, counted and can be overtaken, rather than in megabytes of the kernel's.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// Makes a raw descriptor of a connected stream socket ours: it is non-blocking afterwards, and closed when dropped.
///
/// On an error the descriptor still belongs to the caller.
///
/// # Safety
/// `fd` must be open and owned by the caller, who must not use or close it after a success.
pub unsafe fn own_socket(fd: RawFd) -> io::Result<Socket> {
    // SAFETY: the caller gives the descriptor away; where that fails below it is given back by into_raw_fd.
    let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(fd) });
    match socket.set_nonblocking(true) {
        Ok(()) => {
            // Not a TCP socket: then there is nothing to be delayed either.
            let _ = socket.set_tcp_nodelay(true);
            #[cfg(target_os = "linux")]
            let _ = socket.set_tcp_notsent_lowat(UNSENT);
            Ok(socket)
        }
        Err(error) => {
            let _ = std::os::fd::IntoRawFd::into_raw_fd(socket);
            Err(error)
        }
    }
}

/// Signals are the host's business (Go's runtime installs handlers that must run on its own threads): none is taken on this one.
pub fn block_signals() -> io::Result<()> {
    SigSet::all().thread_block().map_err(io::Error::from)
}

/// The supplementary groups of the process at the other end of a Unix socket, as they were when it connected.
#[cfg(target_os = "linux")]
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups: Vec<u32> = vec![0; 64];
    loop {
        let mut len = libc::socklen_t::try_from(size_of_val(&groups[..])).map_err(io::Error::other)?;
        // SAFETY: the kernel writes at most `len` bytes, which is the size of the vector, and says in `len` how many it wrote or wants.
        let result = unsafe {
            libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERGROUPS, groups.as_mut_ptr().cast(), &raw mut len)
        };
        let count = len as usize / size_of::<u32>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let why = io::Error::last_os_error();
        if why.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() {
            return Err(why);
        }
        groups.resize(count, 0);
    }
}

/// The groups of the process at the other end of a Unix socket, as they were when it connected.
#[cfg(target_vendor = "apple")]
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let peer = nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::LocalPeerCred)?;
    Ok(peer.groups().to_vec())
}
