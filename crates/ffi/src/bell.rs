//! Bells and the events they bring.

use std::sync::Arc;

use fws_server::{Bell, Ended};
use fws_session::{ChannelEvent, ChannelEventKind, Event, Membership, Opened, Subscriber};
use parking_lot::Mutex;

use crate::bytes::{fws_bytes, input};
use crate::core::core;
use crate::owned::Owned;
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// A bell to be rung: a request to `worker` whose query string carries `fws_bell=<nonce>`.
#[repr(C)]
pub struct fws_ring {
    /// 32 hexadecimal digits and a NUL.
    pub nonce: [u8; 33],
    /// The worker's name, valid for the life of the process.
    pub worker: fws_bytes,
}

/// Outcome for fws_bell_end: the request was served without an error.
pub const FWS_BELL_SERVED: u32 = 0;
/// Outcome for fws_bell_end: the request failed.
pub const FWS_BELL_FAILED: u32 = 1;
/// Outcome for fws_bell_end: the request never reached PHP.
pub const FWS_BELL_ABANDONED: u32 = 2;

/// Takes at most `capacity` bells that are to be rung now into `out`; returns how many. While the gate is closed there are none. Each
/// must be ended with fws_bell_end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_bells_take(out: *mut fws_ring, capacity: usize) -> usize {
    guard(0, || {
        let Some(core) = core() else { return 0 };
        if out.is_null() {
            return 0;
        }
        core.lower_flag();
        let mut taken = 0;
        while taken < capacity
            && let Some(bell) = core.take_ring()
        {
            let mut nonce = [0; 33];
            nonce[..32].copy_from_slice(bell.nonce.as_bytes());
            // SAFETY: the caller passes room for `capacity` of them.
            unsafe { out.add(taken).write(fws_ring { nonce, worker: forever(&bell.worker) }) };
            taken += 1;
        }
        taken
    })
}

/// A worker's name that stays valid: each distinct name is kept once for the life of the process.
fn forever(name: &Arc<str>) -> fws_bytes {
    static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut names = NAMES.lock();
    let name = match names.iter().find(|known| ***known == **name) {
        Some(known) => known,
        None => {
            let kept: &'static str = Box::leak(name.to_string().into_boxed_str());
            names.push(kept);
            kept
        }
    };
    fws_bytes::of(name.as_bytes())
}

/// The host is through with a bell's request. `nonce`: its 32 digits. `output` is what PHP printed, `error` the host's own text of a
/// failure; both optional, both go to the log. An event that was not acknowledged fails. A bell that was ended before is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_bell_end(
    nonce: *const u8,
    outcome: u32,
    output: *const u8,
    output_len: usize,
    error: *const u8,
    error_len: usize,
) {
    guard((), || {
        let Some(core) = core() else { return };
        // SAFETY: the caller passes 32 digits and valid bytes.
        let (Ok(nonce), Ok(output), Ok(error)) = (unsafe { (input(nonce, 32), input(output, output_len), input(error, error_len)) }) else {
            return;
        };
        let Ok(nonce) = std::str::from_utf8(nonce) else { return };
        let ended = match outcome {
            FWS_BELL_SERVED => Ended::Served,
            FWS_BELL_ABANDONED => Ended::Abandoned,
            _ => Ended::Failed,
        };
        core.end_bell(nonce, ended, output, &String::from_utf8_lossy(error));
    })
}

/// A claimed bell. Freed by fws_bell_release.
pub struct fws_bell(Arc<Bell>);

impl Owned for fws_bell {}

impl fws_bell {
    pub(crate) fn inner(&self) -> &Bell {
        &self.0
    }
}

/// The kind of fws_event: the connection was opened; always its first event.
pub const FWS_EVENT_OPEN: u32 = 1;
/// The kind of fws_event: a message came.
pub const FWS_EVENT_MESSAGE: u32 = 2;
/// The kind of fws_event: the connection is closed; always its last event.
pub const FWS_EVENT_CLOSE: u32 = 3;
/// The kind of fws_event: a timer is due. It is of no connection: `id` and `route` are empty.
pub const FWS_EVENT_TIMER: u32 = 4;
/// The kind of fws_event: a user has joined a channel with presence. It is of no connection: `id` is empty.
pub const FWS_EVENT_JOIN: u32 = 5;
/// The kind of fws_event: a user has left a channel with presence. It is of no connection: `id` is empty.
pub const FWS_EVENT_LEAVE: u32 = 6;
/// The kind of fws_event: the connection broke, and its client is waited for.
pub const FWS_EVENT_SUSPEND: u32 = 7;
/// The kind of fws_event: the client is back, on another connection with a request of its own.
pub const FWS_EVENT_RESUME: u32 = 8;
/// The kind of fws_event: a client of the Pusher protocol has subscribed to a channel.
pub const FWS_EVENT_SUBSCRIBE: u32 = 9;
/// The kind of fws_event: it has left a channel, or its connection has ended.
pub const FWS_EVENT_UNSUBSCRIBE: u32 = 10;
/// The kind of fws_event: it has sent an event to the others in a channel.
pub const FWS_EVENT_CLIENT_EVENT: u32 = 11;
/// The kind of fws_event: a channel of the Pusher protocol has its first subscriber. It is of no connection: `id` is empty.
pub const FWS_EVENT_CHANNEL_OCCUPIED: u32 = 12;
/// The kind of fws_event: a channel of the Pusher protocol has lost its last subscriber. It is of no connection: `id` is empty.
pub const FWS_EVENT_CHANNEL_VACATED: u32 = 13;
/// The kind of fws_event: a client has subscribed to a cache channel that keeps no event. It is of no connection: `id` is empty.
pub const FWS_EVENT_CACHE_MISS: u32 = 14;
/// The kind of fws_event: a channel of the Pusher protocol has another number of subscribers. It is of no connection: `id` is empty.
pub const FWS_EVENT_SUBSCRIPTION_COUNT: u32 = 15;

/// One event of a connection, of a timer, or of a channel.
#[repr(C)]
pub struct fws_event {
    /// FWS_EVENT_….
    pub kind: u32,
    /// Message: binary rather than text.
    pub binary: bool,
    /// Close: both sides sent a close frame.
    pub clean: bool,
    /// Close: the code of the first close frame that either side sent; 1005 if it had none, 1006 if there was no close frame.
    pub code: u16,
    /// The connection's id.
    pub id: fws_bytes,
    /// The name of its route, or of that of the channel.
    pub route: fws_bytes,
    /// Message, timer: the payload. Close: the reason. Join, leave, subscribe: what was said about the user. Client event: its data, as JSON.
    pub data: fws_bytes,
    /// Timer: its number.
    pub timer: u64,
    /// Open, resume: the path of the request, byte for byte as the client sent it.
    pub path: fws_bytes,
    /// Open, resume: the query without `?`.
    pub query: fws_bytes,
    /// Open, resume: the client's address.
    pub ip: fws_bytes,
    /// Open, resume: the sub-protocol agreed on; empty where there is none.
    pub subprotocol: fws_bytes,
    /// Open, resume: whose the connection is; empty where it is nobody's. Join, leave: the user. Subscribe, unsubscribe, client event: who the
    /// client is in the channel.
    pub user: fws_bytes,
    /// Join, leave, subscribe, unsubscribe, client event, and what has become of a channel: the channel's tag.
    pub tag: fws_bytes,
    /// Client event: its name.
    pub name: fws_bytes,
    /// Subscription count: how many.
    pub count: u64,
    /// Open, resume: how many headers there are, see fws_event_header.
    pub header_count: usize,
}

/// Claims the bell whose nonce stands in a request's query string. A nonce can be claimed once. FWS_ERR_NO_BELL: there is no live one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_bell_claim(query: *const u8, query_len: usize, out: *mut *mut fws_bell) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes NULL or a valid place, and valid bytes.
        let Some(out) = (unsafe { out.as_mut() }) else { return FWS_ERR_NULL };
        // SAFETY: as above.
        let query = match unsafe { input(query, query_len) } {
            Ok(query) => query,
            Err(code) => return code,
        };
        match core.claim_bell(query) {
            Some(bell) => {
                *out = fws_bell(bell).give();
                FWS_OK
            }
            None => FWS_ERR_NO_BELL,
        }
    })
}

/// Acknowledges the event that was handed out before and waits, some milliseconds, for the next one. Blocks so long.
///
/// FWS_END: the request is to end. What `out` points to is valid until the next fws_event_next, fws_event_fail or fws_bell_release of
/// this bell.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_event_next(bell: *mut fws_bell, out: *mut fws_event) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(bell), Some(out)) = (unsafe { (bell.as_ref(), out.as_mut()) }) else { return FWS_ERR_NULL };
        let Some(current) = core.next_event(&bell.0) else { return FWS_END };
        *out = described(current);
        FWS_OK
    })
}

/// An event as C reads it. What is pointed to is owned by the bell, on the heap, and stays there until its next call.
fn described(current: fws_server::Current<'_>) -> fws_event {
    let conn = current.conn();
    let mut event = fws_event {
        kind: FWS_EVENT_OPEN,
        binary: false,
        clean: false,
        code: 0,
        id: fws_bytes::of(current.id().as_bytes()),
        route: conn.map_or(fws_bytes::NONE, |conn| fws_bytes::of(conn.route_name.as_bytes())),
        data: fws_bytes::NONE,
        timer: 0,
        path: fws_bytes::NONE,
        query: fws_bytes::NONE,
        ip: fws_bytes::NONE,
        subprotocol: fws_bytes::NONE,
        user: fws_bytes::NONE,
        tag: fws_bytes::NONE,
        name: fws_bytes::NONE,
        count: 0,
        header_count: 0,
    };
    match current.event() {
        Event::Open(opened) => event.request(opened),
        Event::Suspend => event.kind = FWS_EVENT_SUSPEND,
        Event::Resume(opened) => {
            event.kind = FWS_EVENT_RESUME;
            event.request(opened);
        }
        Event::Message { binary, data } => {
            event.kind = FWS_EVENT_MESSAGE;
            event.binary = *binary;
            event.data = fws_bytes::of(data);
        }
        Event::Close(closed) => {
            event.kind = FWS_EVENT_CLOSE;
            event.clean = closed.clean;
            event.code = closed.code;
            event.data = fws_bytes::of(closed.reason.as_bytes());
        }
        Event::Join(membership) => event.membership(FWS_EVENT_JOIN, membership),
        Event::Leave(membership) => event.membership(FWS_EVENT_LEAVE, membership),
        Event::Subscribe(told) => event.subscriber(FWS_EVENT_SUBSCRIBE, told),
        Event::Unsubscribe(told) => event.subscriber(FWS_EVENT_UNSUBSCRIBE, told),
        Event::ClientEvent(told) => event.subscriber(FWS_EVENT_CLIENT_EVENT, told),
        Event::Channel(told) => event.channel(told),
        Event::Timer(timer) => {
            event.kind = FWS_EVENT_TIMER;
            event.timer = timer.id;
            event.data = fws_bytes::of(&timer.payload);
        }
    }
    event
}

impl fws_event {
    fn request(&mut self, opened: &Opened) {
        self.path = fws_bytes::of(&opened.path);
        self.query = fws_bytes::of(&opened.query);
        self.ip = fws_bytes::of(opened.ip.as_bytes());
        self.subprotocol = fws_bytes::of(opened.subprotocol.as_bytes());
        self.user = fws_bytes::of(opened.user.as_bytes());
        self.header_count = opened.headers.len();
    }

    fn subscriber(&mut self, kind: u32, told: &Subscriber) {
        self.kind = kind;
        self.id = fws_bytes::of(told.id.as_bytes());
        self.route = fws_bytes::of(told.route.as_bytes());
        self.tag = fws_bytes::of(told.tag.as_bytes());
        self.user = fws_bytes::of(told.user.as_bytes());
        self.name = fws_bytes::of(told.event.as_bytes());
        self.data = fws_bytes::of(&told.data);
    }

    fn channel(&mut self, told: &ChannelEvent) {
        self.kind = match told.kind {
            ChannelEventKind::Occupied => FWS_EVENT_CHANNEL_OCCUPIED,
            ChannelEventKind::Vacated => FWS_EVENT_CHANNEL_VACATED,
            ChannelEventKind::CacheMiss => FWS_EVENT_CACHE_MISS,
            ChannelEventKind::SubscriptionCount(count) => {
                self.count = count;
                FWS_EVENT_SUBSCRIPTION_COUNT
            }
        };
        self.route = fws_bytes::of(told.route.as_bytes());
        self.tag = fws_bytes::of(told.tag.as_bytes());
    }

    fn membership(&mut self, kind: u32, membership: &Membership) {
        self.kind = kind;
        self.route = fws_bytes::of(membership.route.as_bytes());
        self.tag = fws_bytes::of(membership.tag.as_bytes());
        self.user = fws_bytes::of(membership.user.as_bytes());
        self.data = fws_bytes::of(&membership.info);
    }
}

/// One header of the current event, which is an open or a resume event; names are in lower case, and valid as long as the event. FWS_END beyond
/// the last, and for other events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_event_header(bell: *const fws_bell, index: usize, name: *mut fws_bytes, value: *mut fws_bytes) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(bell), Some(name), Some(value)) = (unsafe { (bell.as_ref(), name.as_mut(), value.as_mut()) }) else {
            return FWS_ERR_NULL;
        };
        let Some(current) = bell.0.current() else { return FWS_END };
        let (Event::Open(opened) | Event::Resume(opened)) = current.event() else { return FWS_END };
        match opened.headers.get(index) {
            Some((n, v)) => {
                // As in fws_event_next: the bell owns them until its next call.
                *name = fws_bytes::of(n.as_bytes());
                *value = fws_bytes::of(v);
                FWS_OK
            }
            None => FWS_END,
        }
    })
}

/// The current event failed, with a cause for the log: it is counted and the route's on_error carried out; fws_event_next goes on
/// with the next one. FWS_END: no event is current.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_event_fail(bell: *mut fws_bell, cause: *const u8, cause_len: usize) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes NULL or a live bell, and valid bytes.
        let (Some(bell), Ok(cause)) = (unsafe { (bell.as_ref(), input(cause, cause_len)) }) else { return FWS_ERR_NULL };
        if core.fail_event(&bell.0, &String::from_utf8_lossy(cause)) { FWS_OK } else { FWS_END }
    })
}

/// The request ends and the bell is freed; NULL is allowed. Its current event is acknowledged or, with `failed`, fails with a cause
/// (optional). Events that PHP never received are delivered again, in their order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_bell_release(bell: *mut fws_bell, failed: bool, cause: *const u8, cause_len: usize) {
    guard((), || {
        // SAFETY: the caller passes NULL, or a bell that it gives back once.
        let Some(bell) = (unsafe { fws_bell::take(bell) }) else { return };
        // SAFETY: the caller passes valid bytes.
        let cause = unsafe { input(cause, cause_len) }.unwrap_or_default();
        if let Some(core) = core() {
            core.release_bell(&bell.0, failed, &String::from_utf8_lossy(cause));
        }
    })
}
