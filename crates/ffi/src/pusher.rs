//! The HTTP API of the Pusher protocol: the host gives requests, and writes the answers.

use std::borrow::Cow;

use fws_server::{Answer, HttpCall, Unread};

use crate::bytes::{input, text};
use crate::core::core;
use crate::owned::Owned;
use crate::reply::fws_reply;
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// A request without its body.
struct Head<'a> {
    route: &'a str,
    method: Cow<'a, str>,
    path: Cow<'a, str>,
    query: Cow<'a, str>,
}

impl Head<'_> {
    fn with<'a>(&'a self, body: &'a [u8]) -> HttpCall<'a> {
        HttpCall { route: self.route, method: &self.method, path: &self.path, query: &self.query, body }
    }
}

/// What the caller of the ABI passes of a request: pointers and lengths of the route, the method, the path and the query.
///
/// # Safety
/// The pointers are NULL or valid for reads of so many bytes as long as the caller of the ABI waits.
unsafe fn head<'a>(parts: [(*const u8, usize); 4]) -> Result<Head<'a>, fws_result> {
    let [route, method, path, query] = parts;
    // What is no text is no call either, and the answer says so.
    // SAFETY: promised by the caller.
    let lossy = |(ptr, len)| unsafe { input(ptr, len) }.map(String::from_utf8_lossy);
    // SAFETY: promised by the caller.
    let route = unsafe { text(route.0, route.1) }?;
    Ok(Head { route, method: lossy(method)?, path: lossy(path)?, query: lossy(query)? })
}

/// Gives an answer to the caller of the ABI.
fn give(answer: Answer, status: &mut u32, reply: &mut *mut fws_reply) {
    let Answer { status: code, content_type, body, allow } = answer;
    *status = code.into();
    *reply = fws_reply::names(vec![content_type.into(), body.into(), allow.unwrap_or_default().into()]).give();
}

/// Looks at a request of HTTP to a route that speaks the Pusher protocol before its body is read: whether there is such a call, and whether
/// an application has signed it. `method`, `path` and `query` are as for fws_pusher_call; `size` is that of the body as far as the request
/// says it, or 0.
///
/// Where the body may be read, `status` receives 0, and `most` how many bytes of it are taken; of a longer one no more need be read than one
/// byte beyond. Then fws_pusher_call answers, or fws_pusher_unread. Otherwise `status` and `reply` receive the answer, as from
/// fws_pusher_call, and the body is not to be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pusher_examine(
    route: *const u8,
    route_len: usize,
    method: *const u8,
    method_len: usize,
    path: *const u8,
    path_len: usize,
    query: *const u8,
    query_len: usize,
    size: u64,
    most: *mut u64,
    status: *mut u32,
    reply: *mut *mut fws_reply,
) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes valid bytes.
        let head = match unsafe { head([(route, route_len), (method, method_len), (path, path_len), (query, query_len)]) } {
            Ok(head) => head,
            Err(code) => return code,
        };
        // SAFETY: the caller passes NULL or valid places.
        let (Some(most), Some(status), Some(reply)) = (unsafe { (most.as_mut(), status.as_mut(), reply.as_mut()) }) else {
            return FWS_ERR_NULL;
        };
        match core.pusher_examine(&head.with(&[]), size) {
            Ok(bytes) => (*most, *status) = (bytes, 0),
            Err(answer) => give(answer, status, reply),
        }
        FWS_OK
    })
}

/// The answer to a request whose body was not read to its end: `late`, since it did not come in time, or else since the bodies of other calls
/// take as much memory as they may. It is counted as a call that was refused. `status` and `reply` are as for fws_pusher_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_pusher_unread(late: bool, status: *mut u32, reply: *mut *mut fws_reply) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes NULL or valid places.
        let (Some(status), Some(reply)) = (unsafe { (status.as_mut(), reply.as_mut()) }) else { return FWS_ERR_NULL };
        give(core.pusher_unread(if late { Unread::Late } else { Unread::NoRoom }), status, reply);
        FWS_OK
    })
}

/// Answers a request of HTTP to a route that speaks the Pusher protocol, whatever it asks for: `method` in capitals, `path` as it was sent,
/// `query` without the `?`, and the body, which fws_pusher_examine has let in. It waits for other servers, where there are some.
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
        // SAFETY: the caller passes valid bytes.
        let head = match unsafe { head([(route, route_len), (method, method_len), (path, path_len), (query, query_len)]) } {
            Ok(head) => head,
            Err(code) => return code,
        };
        // SAFETY: the caller passes valid bytes.
        let body = match unsafe { input(body, body_len) } {
            Ok(body) => body,
            Err(code) => return code,
        };
        // SAFETY: the caller passes NULL or valid places.
        let (Some(status), Some(reply)) = (unsafe { (status.as_mut(), reply.as_mut()) }) else { return FWS_ERR_NULL };
        give(core.pusher_call(&head.with(body)), status, reply);
        FWS_OK
    })
}
