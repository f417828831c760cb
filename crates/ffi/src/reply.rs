//! Lists of strings that the core answers.

use std::sync::Arc;

use fws_hub::Client;

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
            Items::Names(_) | Items::One(_) | Items::Pairs(_) => FWS_END,
        }
    })
}

/// Frees a reply; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_free(reply: *mut fws_reply) {
    // SAFETY: the caller passes NULL, or a reply that it frees once.
    guard((), || drop(unsafe { fws_reply::take(reply) }))
}
