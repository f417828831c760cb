//! Upgrade requests, and the connections that come of them.

use fws_server::{Handshake, check_origin, own_socket};

use crate::bytes::{fws_bytes, input, text};
use crate::core::core;
use crate::error::{fws_error, refuse};
use crate::owned::Owned;
use crate::pipe::known_transport;
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// An examined upgrade request. Ended by fws_conn_adopt or fws_handshake_free.
pub struct fws_handshake(Handshake);

impl Owned for fws_handshake {}

impl fws_handshake {
    pub(crate) fn into_inner(self) -> Handshake {
        self.0
    }
}

/// Flag of fws_handshake_new: the request is an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220) whose `:protocol` is
/// `websocket`. HTTP/1.1 has none: without this flag a CONNECT is refused.
pub const FWS_EXTENDED_CONNECT: u32 = 1;

/// Examines an upgrade request for a route.
///
/// `head` is the request as an HTTP/1.1 head: `GET /path?query HTTP/1.1`, header lines and an empty line, each ended by CR LF; at most
/// 1 MiB. With FWS_EXTENDED_CONNECT it is written as `CONNECT /path?query HTTP/1.1`, with its authority as Host. `client_ip` is the client's
/// address as text. FWS_OK also when the request is refused: see fws_handshake_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_new(
    route: *const u8,
    route_len: usize,
    head: *const u8,
    head_len: usize,
    client_ip: *const u8,
    client_ip_len: usize,
    flags: u32,
    out: *mut *mut fws_handshake,
) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes NULL or a valid place, and valid bytes.
        let Some(out) = (unsafe { out.as_mut() }) else { return FWS_ERR_NULL };
        // SAFETY: as above.
        let (route, head, ip) = match unsafe { (text(route, route_len), input(head, head_len), text(client_ip, client_ip_len)) } {
            (Ok(route), Ok(head), Ok(ip)) => (route, head, ip),
            (Err(code), ..) | (_, Err(code), _) | (.., Err(code)) => return code,
        };
        let handshake = match flags & FWS_EXTENDED_CONNECT {
            0 => core.handshake(route, head, ip),
            _ => core.handshake_by_connect(route, head, ip),
        };
        *out = fws_handshake(handshake).give();
        FWS_OK
    })
}

/// Whether a pattern can be one of a route's `origins`. FWS_ERR_CONFIG if no origin could match it, or not the one that was meant; the
/// error says why, and what would be right. The core need not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_origin_check(pattern: *const u8, pattern_len: usize, error: *mut *mut fws_error) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes valid bytes.
        let checked = match unsafe { text(pattern, pattern_len) } {
            Ok(pattern) => check_origin(pattern),
            Err(code) => return code,
        };
        match checked {
            Ok(()) => FWS_OK,
            // SAFETY: the caller passes NULL or a valid place.
            Err(why) => unsafe { refuse(error, FWS_ERR_CONFIG, why.to_string()) },
        }
    })
}

/// The status to answer with: 101, or 200 for an extended CONNECT, or that of the refusal (400, 403, 405, 426, 429, 431, 503, 505). 0 for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_status(handshake: *const fws_handshake) -> u16 {
    // SAFETY: the caller passes NULL or a live handshake.
    guard(0, || unsafe { handshake.as_ref() }.map_or(0, |handshake| handshake.0.status()))
}

/// How many headers the answer needs, whether it is accepted or refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_header_count(handshake: *const fws_handshake) -> usize {
    // SAFETY: the caller passes NULL or a live handshake.
    guard(0, || unsafe { handshake.as_ref() }.map_or(0, |handshake| handshake.0.headers().len()))
}

/// One header of the answer, valid as long as the handshake. FWS_END beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_header(
    handshake: *const fws_handshake,
    index: usize,
    name: *mut fws_bytes,
    value: *mut fws_bytes,
) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(handshake), Some(name), Some(value)) = (unsafe { (handshake.as_ref(), name.as_mut(), value.as_mut()) }) else {
            return FWS_ERR_NULL;
        };
        match handshake.0.headers().get(index) {
            Some((n, v)) => {
                *name = fws_bytes::of(n.as_bytes());
                *value = fws_bytes::of(v.as_bytes());
                FWS_OK
            }
            None => FWS_END,
        }
    })
}

/// Why the request was refused, for the body of the answer; valid as long as the handshake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_text(handshake: *const fws_handshake, out: *mut fws_bytes) {
    guard((), || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        if let (Some(handshake), Some(out)) = unsafe { (handshake.as_ref(), out.as_mut()) } {
            *out = fws_bytes::of(handshake.0.text().as_bytes());
        }
    })
}

/// Gives the connection an id of the host's choice, 1 to 255 bytes of UTF-8; it is promised to this handshake until that ends.
/// FWS_ERR_ID_TAKEN if a client or another handshake has it, FWS_ERR_ID_LEAVING if it will be free as soon as PHP has handled the close event
/// of the client that had it, FWS_ERR_STALE if the handshake is refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_set_id(handshake: *mut fws_handshake, id: *const u8, id_len: usize) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes NULL or a live handshake, and valid bytes.
        match unsafe { (handshake.as_mut(), text(id, id_len)) } {
            (None, _) => FWS_ERR_NULL,
            (_, Err(code)) => code,
            (Some(handshake), Ok(id)) => core.set_id(&mut handshake.0, id).into(),
        }
    })
}

/// Chooses a sub-protocol in place of the client's first that the route speaks. One that the route does not speak goes to its default
/// worker. FWS_ERR_SUBPROTOCOL if the client did not offer it or nobody would handle it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_set_subprotocol(handshake: *mut fws_handshake, name: *const u8, name_len: usize) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL or a live handshake, and valid bytes.
        match unsafe { (handshake.as_mut(), text(name, name_len)) } {
            (None, _) => FWS_ERR_NULL,
            (_, Err(code)) => code,
            (Some(handshake), Ok(name)) => handshake.0.set_subprotocol(name).into(),
        }
    })
}

/// Gives the connection a tag from its first moment, 1 to 255 bytes of UTF-8; at most 4096 of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_add_tag(handshake: *mut fws_handshake, tag: *const u8, tag_len: usize) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL or a live handshake, and valid bytes.
        match unsafe { (handshake.as_mut(), text(tag, tag_len)) } {
            (None, _) => FWS_ERR_NULL,
            (_, Err(code)) => code,
            (Some(handshake), Ok(tag)) => handshake.0.add_tag(tag).into(),
        }
    })
}

/// Says whose the connection is, from its first moment on: 1 to 255 bytes of UTF-8, and what channels with presence tell of the user, at most
/// 4096 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_set_user(
    handshake: *mut fws_handshake,
    user: *const u8,
    user_len: usize,
    info: *const u8,
    info_len: usize,
) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL or a live handshake, and valid bytes.
        match unsafe { (handshake.as_mut(), text(user, user_len), input(info, info_len)) } {
            (None, ..) => FWS_ERR_NULL,
            (_, Err(code), _) | (.., Err(code)) => code,
            (Some(handshake), Ok(user), Ok(info)) => handshake.0.set_user(user, info).into(),
        }
    })
}

/// Gives the connection stored information from its first moment: a key of 1 to 255 bytes of UTF-8, and any bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_set_information(
    handshake: *mut fws_handshake,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL or a live handshake, and valid bytes.
        match unsafe { (handshake.as_mut(), text(key, key_len), input(value, value_len)) } {
            (None, ..) => FWS_ERR_NULL,
            (_, Err(code), _) | (.., Err(code)) => code,
            (Some(handshake), Ok(key), Ok(value)) => handshake.0.set_information(key, value).into(),
        }
    })
}

/// Makes the client known, which is to be done right before the answer is written: it is listed from now on, and what it is sent waits until
/// its connection is there. `transport` is one of FWS_TRANSPORT_…. Nothing else can be given to the handshake after this. Where the answer
/// cannot be written, fws_handshake_free makes the client be forgotten; PHP is told nothing of it.
///
/// FWS_ERR_STALE: the handshake is refused, now or before. Its status, headers and text say how. FWS_ERR_OUT_OF_RANGE: `transport` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_enter(handshake: *mut fws_handshake, transport: u32) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes NULL or a live handshake.
        let Some(handshake) = (unsafe { handshake.as_mut() }) else { return FWS_ERR_NULL };
        let Some(transport) = known_transport(transport) else { return FWS_ERR_OUT_OF_RANGE };
        if core.enter(&mut handshake.0, transport) { FWS_OK } else { FWS_ERR_STALE }
    })
}

/// The host itself refuses a request that was accepted: it counts as refused, and its place on the route and its id are free again.
/// The handshake is still to be freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_deny(handshake: *mut fws_handshake) {
    guard((), || {
        // SAFETY: the caller passes NULL or a live handshake.
        if let (Some(core), Some(handshake)) = (core(), unsafe { handshake.as_mut() }) {
            core.deny(&mut handshake.0);
        }
    })
}

/// Frees a handshake and gives back the place it held on its route; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_handshake_free(handshake: *mut fws_handshake) {
    // SAFETY: the caller passes NULL, or a handshake that it frees once.
    guard((), || drop(unsafe { fws_handshake::take(handshake) }))
}

/// Takes over a connection whose 101 has been written. The handshake is consumed in every case: do not use or free it afterwards. One that
/// was not entered before is entered now.
///
/// `fd` is a connected stream socket. On FWS_OK it belongs to the core: do not use or close it afterwards; else it is still the
/// caller's. `buffered` are bytes that were read behind the request. FWS_ERR_STALE if the handshake was not accepted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_conn_adopt(handshake: *mut fws_handshake, fd: i32, buffered: *const u8, buffered_len: usize) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL, or a handshake that it gives away.
        let Some(handshake) = (unsafe { fws_handshake::take(handshake) }) else { return FWS_ERR_NULL };
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes valid bytes.
        let buffered = match unsafe { input(buffered, buffered_len) } {
            Ok(buffered) => buffered,
            Err(code) => return code,
        };
        if fd < 0 {
            return FWS_ERR_IO;
        }
        // SAFETY: the caller gives away an open descriptor; where that is not accepted below, it is released unclosed.
        let Ok(socket) = (unsafe { own_socket(fd) }) else { return FWS_ERR_IO };
        match core.adopt(handshake.0, socket, buffered) {
            Ok(()) => FWS_OK,
            Err(socket) => {
                let _ = std::os::fd::IntoRawFd::into_raw_fd(socket);
                FWS_ERR_STALE
            }
        }
    })
}
