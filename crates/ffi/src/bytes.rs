//! Bytes across the border, and lists of them.

use std::ptr;
use std::sync::Arc;

use crate::result::fws_result::{self, *};
use crate::result::guard;

/// Bytes that belong to somebody else. `ptr` is not NULL where `len` is not 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct fws_bytes {
    /// The first byte.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

impl fws_bytes {
    pub(crate) const NONE: fws_bytes = fws_bytes { ptr: ptr::null(), len: 0 };

    pub(crate) fn of(bytes: &[u8]) -> fws_bytes {
        fws_bytes { ptr: bytes.as_ptr(), len: bytes.len() }
    }
}

/// Input bytes; `(NULL, 0)` are none. `Err` if the pointer is NULL and the length is not 0.
///
/// # Safety
/// `ptr` is NULL or valid for reads of `len` bytes as long as the caller of the ABI waits.
pub(crate) unsafe fn input<'a>(ptr: *const u8, len: usize) -> Result<&'a [u8], fws_result> {
    if len == 0 {
        Ok(&[])
    } else if ptr.is_null() {
        Err(FWS_ERR_NULL)
    } else {
        // SAFETY: promised by the caller.
        Ok(unsafe { std::slice::from_raw_parts(ptr, len) })
    }
}

/// Input that must be UTF-8.
///
/// # Safety
/// As for [`input`].
pub(crate) unsafe fn text<'a>(ptr: *const u8, len: usize) -> Result<&'a str, fws_result> {
    // SAFETY: promised by the caller.
    std::str::from_utf8(unsafe { input(ptr, len) }?).map_err(|_| FWS_ERR_INVALID_UTF8)
}

/// Input that must be UTF-8, or NULL.
///
/// # Safety
/// As for [`input`].
pub(crate) unsafe fn optional<'a>(ptr: *const u8, len: usize) -> Result<Option<&'a str>, fws_result> {
    // SAFETY: promised by the caller.
    if ptr.is_null() && len == 0 { Ok(None) } else { unsafe { text(ptr, len) }.map(Some) }
}

/// A list of byte strings. Freed by its receiver with fws_reply_free.
pub struct fws_reply(Items);

enum Items {
    Names(Vec<Arc<str>>),
    One(Arc<[u8]>),
    Strings(Vec<Box<[u8]>>),
    Pairs(Vec<(Arc<str>, Arc<[u8]>)>),
}

impl fws_reply {
    pub(crate) fn names(names: Vec<Arc<str>>) -> *mut fws_reply {
        Box::into_raw(Box::new(fws_reply(Items::Names(names))))
    }

    pub(crate) fn strings(strings: Vec<Box<[u8]>>) -> *mut fws_reply {
        Box::into_raw(Box::new(fws_reply(Items::Strings(strings))))
    }

    pub(crate) fn pairs(pairs: Vec<(Arc<str>, Arc<[u8]>)>) -> *mut fws_reply {
        Box::into_raw(Box::new(fws_reply(Items::Pairs(pairs))))
    }

    pub(crate) fn text(text: String) -> *mut fws_reply {
        fws_reply::one(text.into_bytes().into())
    }

    pub(crate) fn one(bytes: Arc<[u8]>) -> *mut fws_reply {
        Box::into_raw(Box::new(fws_reply(Items::One(bytes))))
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
        Some(fws_reply(Items::Strings(strings))) => strings.len(),
        Some(fws_reply(Items::Pairs(pairs))) => 2 * pairs.len(),
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
            Items::Strings(strings) => strings.get(index).map(|bytes| &**bytes),
            Items::Pairs(pairs) => pairs.get(index / 2).map(|(key, value)| if index.is_multiple_of(2) { key.as_bytes() } else { value }),
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

/// Frees a reply; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_reply_free(reply: *mut fws_reply) {
    guard((), || {
        if !reply.is_null() {
            // SAFETY: it came from Box::into_raw in one of the constructors above, and the caller gives it back once.
            drop(unsafe { Box::from_raw(reply) });
        }
    })
}
