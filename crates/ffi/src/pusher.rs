//! The HTTP API of the Pusher protocol: the host gives requests, and writes the answers.

use fws_server::{Answer, HttpCall};

use crate::bytes::{input, text};
use crate::core::core;
use crate::owned::Owned;
use crate::reply::fws_reply;
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// Answers a request of HTTP to a route that speaks the Pusher protocol, whatever it asks for: `method` in capitals, `path` as it was sent,
/// `query` without the `?`, and the body, of which no more need be read than fws_pusher_body_limit says, and one byte. It waits for other
/// servers, where there are some.
///
/// `status` receives that of the answer. The items of `reply` are the value of Content-Type, the body, and the value of Allow, which is empty
/// where the answer has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pusher_call(
    route: *const u8,
    route_len: usize,
    method: *const u8,
    method_len: usize,
    path: *const u8,
    path_len: usize,
    query: *const u8,
    query_len: usize,
    body: *const u8,
    body_len: usize,
    status: *mut u32,
    reply: *mut *mut fws_reply,
) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes valid bytes, and NULL or valid places.
        let read = || unsafe {
            // What is no text is no call either, and the answer says so.
            let lossy = |ptr, len| Ok::<_, fws_result>(String::from_utf8_lossy(input(ptr, len)?));
            let sent = [lossy(method, method_len)?, lossy(path, path_len)?, lossy(query, query_len)?];
            Ok((
                text(route, route_len)?,
                sent,
                input(body, body_len)?,
                status.as_mut().ok_or(FWS_ERR_NULL)?,
                reply.as_mut().ok_or(FWS_ERR_NULL)?,
            ))
        };
        let (route, [method, path, query], body, status, reply) = match read() {
            Ok(read) => read,
            Err(code) => return code,
        };
        let call = HttpCall { route, method: &method, path: &path, query: &query, body };
        let Answer { status: code, content_type, body, allow } = core.pusher_call(&call);
        *status = code.into();
        *reply = fws_reply::names(vec![content_type.into(), body.into(), allow.unwrap_or_default().into()]).give();
        FWS_OK
    })
}

/// The largest body of a request that fws_pusher_call takes for a route; 0: it speaks no Pusher protocol, or is not in force.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pusher_body_limit(route: *const u8, route_len: usize) -> u64 {
    guard(0, || {
        // SAFETY: the caller passes valid bytes.
        let (Some(core), Ok(route)) = (core(), unsafe { text(route, route_len) }) else { return 0 };
        core.pusher_body(route)
    })
}
