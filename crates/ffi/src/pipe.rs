//! Connections whose bytes the host carries: TLS, and streams of HTTP/2 and HTTP/3.

use fws_server::{News, PipeId, Transport};

use crate::bytes::input;
use crate::core::core;
use crate::handshake::fws_handshake;
use crate::owned::Owned;
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// Transport for fws_handshake_enter and fws_pipe_open: HTTP/1.1 on an encrypted connection.
pub const FWS_TRANSPORT_TLS: u32 = 1;
/// Transport for fws_handshake_enter and fws_pipe_open: a stream of HTTP/2.
pub const FWS_TRANSPORT_HTTP2: u32 = 2;
/// Transport for fws_handshake_enter and fws_pipe_open: a stream of HTTP/3. Its client is pinged at least every 20 seconds.
pub const FWS_TRANSPORT_HTTP3: u32 = 3;
/// Transport for fws_handshake_enter and fws_pipe_open: a plain connection; of a pipe, one that has no descriptor of its own.
pub const FWS_TRANSPORT_TCP: u32 = 4;
/// Transport for fws_handshake_enter and fws_pipe_open: the same over a Unix socket.
pub const FWS_TRANSPORT_UNIX: u32 = 5;

/// Bit of a pipe's state: there are (more) bytes to take.
pub const FWS_PIPE_OUTPUT: u32 = 1;
/// Bit of a pipe's state: bytes that were not consumed can be fed again. Told once, by fws_pipes_dirty.
pub const FWS_PIPE_RESUME: u32 = 2;
/// Bit of a pipe's state: no bytes will follow those that can be taken now. Behind them the sending side is to be closed; the client
/// is still to be read.
pub const FWS_PIPE_FINISHED: u32 = 4;
/// Bit of a pipe's state: the connection is over. It is to be closed once the last bytes are sent, or after a short time if the client
/// does not take them.
pub const FWS_PIPE_OVER: u32 = 8;

/// How for fws_pipe_close: the client sends no more, or reading from it failed. The id stays valid.
pub const FWS_PIPE_END: u32 = 0;
/// How for fws_pipe_close: the host is through with the pipe. A connection that is not over is cut, and the id is stale from now on.
pub const FWS_PIPE_FREE: u32 = 1;

/// A pipe that the host has to look at.
#[repr(C)]
pub struct fws_dirty {
    /// The pipe.
    pub id: u64,
    /// FWS_PIPE_OUTPUT, FWS_PIPE_RESUME, FWS_PIPE_FINISHED and FWS_PIPE_OVER.
    pub state: u32,
}

/// The transport of a number, if there is one.
pub(crate) fn known_transport(number: u32) -> Option<Transport> {
    Some(match number {
        FWS_TRANSPORT_TLS => Transport::Tls,
        FWS_TRANSPORT_HTTP2 => Transport::Http2,
        FWS_TRANSPORT_HTTP3 => Transport::Http3,
        FWS_TRANSPORT_TCP => Transport::Tcp,
        FWS_TRANSPORT_UNIX => Transport::Unix,
        _ => return None,
    })
}

fn bits(news: News) -> u32 {
    [(news.output, FWS_PIPE_OUTPUT), (news.resume, FWS_PIPE_RESUME), (news.finished, FWS_PIPE_FINISHED), (news.over, FWS_PIPE_OVER)]
        .into_iter()
        .filter(|(is, _)| *is)
        .fold(0, |bits, (_, bit)| bits | bit)
}

/// Opens a pipe for a connection whose 101 or 200 has been written. The handshake is consumed in every case: do not use or free it
/// afterwards. One that was not entered before is entered now.
///
/// `out` receives the id of the pipe, never 0. It carries a generation: one that is no longer valid is FWS_ERR_STALE everywhere and
/// never another pipe. Every pipe must be ended with fws_pipe_close and FWS_PIPE_FREE, whatever becomes of the connection. FWS_ERR_STALE
/// here: the handshake was not accepted. FWS_ERR_OUT_OF_RANGE: `transport` is none of FWS_TRANSPORT_….
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pipe_open(handshake: *mut fws_handshake, transport: u32, out: *mut u64) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL, or a handshake that it gives away.
        let Some(handshake) = (unsafe { fws_handshake::take(handshake) }) else { return FWS_ERR_NULL };
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes NULL or a valid place.
        let Some(out) = (unsafe { out.as_mut() }) else { return FWS_ERR_NULL };
        let Some(transport) = known_transport(transport) else { return FWS_ERR_OUT_OF_RANGE };
        match core.open_pipe(handshake.into_inner(), transport) {
            Some(id) => {
                *out = id.0;
                FWS_OK
            }
            None => FWS_ERR_STALE,
        }
    })
}

/// Hands over bytes that the client sent, in their order: by one thread at a time. Does not block.
///
/// `consumed` receives how many were taken. Where that is less than `len`, the client is not to be read until FWS_PIPE_RESUME, and the
/// rest is to be fed then: PHP does not keep up, or the client does not read what it is sent. `state` receives what is to be done
/// already, see FWS_PIPE_…; of that, fws_pipes_dirty may say nothing more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pipe_feed(id: u64, bytes: *const u8, len: usize, consumed: *mut usize, state: *mut u32) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes valid bytes, and pointers that are NULL or valid.
        let (bytes, consumed, state) = match unsafe { (input(bytes, len), consumed.as_mut(), state.as_mut()) } {
            (Ok(bytes), Some(consumed), Some(state)) => (bytes, consumed, state),
            (Err(code), ..) => return code,
            _ => return FWS_ERR_NULL,
        };
        match core.feed_pipe(PipeId(id), bytes) {
            Some((count, news)) => {
                *consumed = count;
                *state = bits(news);
                FWS_OK
            }
            None => FWS_ERR_STALE,
        }
    })
}

/// Moves bytes that are to be sent to the client into `buffer`, in their order: by one thread at a time. Does not block.
///
/// `taken` receives how many, `state` what is left to be done: see FWS_PIPE_…, without FWS_PIPE_RESUME. FWS_PIPE_FINISHED and
/// FWS_PIPE_OVER hold behind the last byte, that is once FWS_PIPE_OUTPUT is not set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pipe_take(id: u64, buffer: *mut u8, capacity: usize, taken: *mut usize, state: *mut u32) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(taken), Some(state)) = (unsafe { (taken.as_mut(), state.as_mut()) }) else { return FWS_ERR_NULL };
        if buffer.is_null() {
            return FWS_ERR_NULL;
        }
        // SAFETY: the caller passes a buffer of this capacity; it is only written to.
        match core.take_pipe(PipeId(id), unsafe { std::slice::from_raw_parts_mut(buffer, capacity) }) {
            Some((count, news)) => {
                *taken = count;
                *state = bits(News { resume: false, ..news });
                FWS_OK
            }
            None => FWS_ERR_STALE,
        }
    })
}

/// A non-blocking eventfd that becomes readable when pipes are dirty; -1 before the start.
///
/// It belongs to the core and lives as long as the process. Read 8 bytes of it, then call fws_pipes_dirty until there are no more.
#[unsafe(no_mangle)]
pub extern "C" fn fws_pipe_fd() -> i32 {
    guard(-1, || core().map_or(-1, |core| core.pipe_flag()))
}

/// Takes at most `capacity` pipes about which there is something new into `out`; returns how many. A pipe is in the list at most once;
/// what happens to it from then on brings it there again. By one thread at a time; the host may have freed a pipe that is in `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pipes_dirty(out: *mut fws_dirty, capacity: usize) -> usize {
    guard(0, || {
        let Some(core) = core() else { return 0 };
        if out.is_null() {
            return 0;
        }
        core.lower_pipe_flag();
        let mut taken = 0;
        while taken < capacity
            && let Some((id, news)) = core.dirty_pipe()
        {
            // SAFETY: the caller passes room for `capacity` of them.
            unsafe { out.add(taken).write(fws_dirty { id: id.0, state: bits(news) }) };
            taken += 1;
        }
        taken
    })
}

/// Ends a pipe: `how` is FWS_PIPE_END or FWS_PIPE_FREE, else FWS_ERR_OUT_OF_RANGE. May be called while another thread is in
/// fws_pipe_feed or fws_pipe_take of the same pipe; what that does then has no effect.
#[unsafe(no_mangle)]
pub extern "C" fn fws_pipe_close(id: u64, how: u32) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        let closed = match how {
            FWS_PIPE_END => core.end_pipe(PipeId(id)),
            FWS_PIPE_FREE => core.close_pipe(PipeId(id)),
            _ => return FWS_ERR_OUT_OF_RANGE,
        };
        closed.map_or(FWS_ERR_STALE, |()| FWS_OK)
    })
}
