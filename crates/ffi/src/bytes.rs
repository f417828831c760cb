//! Bytes across the border.

use std::ptr;

use crate::result::fws_result::{self, *};

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
