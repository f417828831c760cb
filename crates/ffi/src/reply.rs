//! Lists of strings that the core answers.

use std::sync::Arc;

use fws_hub::{Client, History, Member, Recorded};

use crate::bytes::fws_bytes;
use crate::facts::fws_client;
use crate::owned::Owned;
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// A list of byte strings. Freed by its receiver with fws_reply_free.
pub struct fws_reply(Items);

enum Items {
    Names(Vec<Arc<str>>),
    One(Arc<[u8]>),
    Pairs(Vec<(Arc<str>, Arc<[u8]>)>),
    Client(fws_client, Vec<Box<[u8]>>),
    History(History),
    Members(Vec<Member>),
}

impl Owned for fws_reply {}

impl fws_reply {
    pub(crate) fn names(names: Vec<Arc<str>>) -> fws_reply {
        fws_reply(Items::Names(names))
    }

    pub(crate) fn pairs(pairs: Vec<(Arc<str>, Arc<[u8]>)>) -> fws_reply {
        fws_reply(Items::Pairs(pairs))
    }

    pub(crate) fn one(bytes: Arc<[u8]>) -> fws_reply {
        fws_reply(Items::One(bytes))
    }

    pub(crate) fn text(text: &str) -> fws_reply {
        fws_reply::one(text.as_bytes().into())
    }

    pub(crate) fn history(history: History) -> fws_reply {
        fws_reply(Items::History(history))
    }

    pub(crate) fn members(members: Vec<Member>) -> fws_reply {
        fws_reply(Items::Members(members))
    }

    pub(crate) fn client(client: Client) -> fws_reply {
        fws_reply(Items::Client(fws_client::of(&client), fws_client::strings(client)))
    }
}

/// How many items a reply has; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_count(reply: *const fws_reply) -> usize {
    // SAFETY: the caller passes NULL or a live reply.
    guard(0, || match unsafe { reply.as_ref() } {
        None => 0,
        Some(fws_reply(Items::Names(names))) => names.len(),
        Some(fws_reply(Items::One(_))) => 1,
        Some(fws_reply(Items::Pairs(pairs))) => 2 * pairs.len(),
        Some(fws_reply(Items::Client(_, strings))) => strings.len(),
        Some(fws_reply(Items::History(history))) => 1 + history.messages.len(),
        Some(fws_reply(Items::Members(members))) => 2 * members.len(),
    })
}

/// One item of a reply, valid until fws_reply_free. FWS_END beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_item(reply: *const fws_reply, index: usize, out: *mut fws_bytes) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(reply), Some(out)) = (unsafe { (reply.as_ref(), out.as_mut()) }) else { return FWS_ERR_NULL };
        let item = match &reply.0 {
            Items::Names(names) => names.get(index).map(|name| name.as_bytes()),
            Items::One(bytes) => (index == 0).then_some(&**bytes),
            Items::Pairs(pairs) => pairs.get(index / 2).map(|(key, value)| if index.is_multiple_of(2) { key.as_bytes() } else { value }),
            Items::Client(_, strings) => strings.get(index).map(|bytes| &**bytes),
            Items::Members(members) => {
                members.get(index / 2).map(|member| if index.is_multiple_of(2) { member.user.as_bytes() } else { &member.info })
            }
            Items::History(history) => match index.checked_sub(1) {
                None => Some(history.position.as_bytes()),
                Some(message) => history.messages.get(message).map(|message| &*message.data),
            },
        };
        match item {
            Some(item) => {
                *out = fws_bytes::of(item);
                FWS_OK
            }
            None => FWS_END,
        }
    })
}

/// The numbers of the reply to FWS_CLIENT. FWS_END: the reply is that to another command.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_client(reply: *const fws_reply, out: *mut fws_client) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(reply), Some(out)) = (unsafe { (reply.as_ref(), out.as_mut()) }) else { return FWS_ERR_NULL };
        match &reply.0 {
            Items::Client(facts, _) => {
                *out = *facts;
                FWS_OK
            }
            Items::Names(_) | Items::One(_) | Items::Pairs(_) | Items::History(_) | Items::Members(_) => FWS_END,
        }
    })
}

/// Whether nothing is missing before the first message of a history: after `since`, or from the first message on. FWS_END: the reply is
/// that to another command than FWS_HISTORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_history(reply: *const fws_reply, complete: *mut bool) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(reply), Some(complete)) = (unsafe { (reply.as_ref(), complete.as_mut()) }) else { return FWS_ERR_NULL };
        let Items::History(history) = &reply.0 else { return FWS_END };
        *complete = history.complete;
        FWS_OK
    })
}

/// A message of a history.
#[repr(C)]
pub struct fws_message {
    /// The position behind it, valid until fws_reply_free.
    pub position: fws_bytes,
    /// Its number among all that were sent to the tag, from 1 on.
    pub offset: u64,
    /// When it was sent, milliseconds since 1970.
    pub time: u64,
    /// A binary message rather than a text.
    pub binary: bool,
    /// The payload, valid until fws_reply_free.
    pub data: fws_bytes,
}

/// One message of the reply to FWS_HISTORY, from 0 on. FWS_END beyond the last, and of the reply to another command.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_message(reply: *const fws_reply, index: usize, out: *mut fws_message) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(reply), Some(out)) = (unsafe { (reply.as_ref(), out.as_mut()) }) else { return FWS_ERR_NULL };
        let Items::History(history) = &reply.0 else { return FWS_END };
        let Some(Recorded { position, offset, time, binary, data }) = history.messages.get(index) else { return FWS_END };
        *out = fws_message {
            position: fws_bytes::of(position.as_bytes()),
            offset: *offset,
            time: *time,
            binary: *binary,
            data: fws_bytes::of(data),
        };
        FWS_OK
    })
}

/// Who is in a channel.
#[repr(C)]
pub struct fws_member {
    /// The user, valid until fws_reply_free.
    pub user: fws_bytes,
    /// What was said about the user, valid until fws_reply_free.
    pub info: fws_bytes,
    /// Connections in the channel; 0 while the user may come back in the channel's time of grace.
    pub connections: u32,
}

/// One member of the reply to FWS_PRESENCE, from 0 on. FWS_END beyond the last, and of the reply to another command.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_member(reply: *const fws_reply, index: usize, out: *mut fws_member) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(reply), Some(out)) = (unsafe { (reply.as_ref(), out.as_mut()) }) else { return FWS_ERR_NULL };
        let Items::Members(members) = &reply.0 else { return FWS_END };
        let Some(Member { user, info, connections }) = members.get(index) else { return FWS_END };
        *out = fws_member { user: fws_bytes::of(user.as_bytes()), info: fws_bytes::of(info), connections: *connections };
        FWS_OK
    })
}

/// Frees a reply; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_free(reply: *mut fws_reply) {
    // SAFETY: the caller passes NULL, or a reply that it frees once.
    guard((), || drop(unsafe { fws_reply::take(reply) }))
}
