//! The text of an error.

use crate::bytes::fws_bytes;
use crate::owned::Owned;
use crate::result::{fws_result, guard};

/// The text of a failure. Freed by its receiver with fws_error_free.
pub struct fws_error(String);

impl Owned for fws_error {}

/// The text of an error, valid until fws_error_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_error_text(error: *const fws_error, out: *mut fws_bytes) {
    guard((), || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        if let (Some(error), Some(out)) = unsafe { (error.as_ref(), out.as_mut()) } {
            *out = fws_bytes::of(error.0.as_bytes());
        }
    })
}

/// Frees an error; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_error_free(error: *mut fws_error) {
    // SAFETY: the caller passes NULL, or an error that it frees once.
    guard((), || drop(unsafe { fws_error::take(error) }))
}

/// Writes the text of a failure where the caller wants it.
///
/// # Safety
/// `out` is NULL or valid for a write.
pub(crate) unsafe fn refuse(out: *mut *mut fws_error, code: fws_result, text: String) -> fws_result {
    if !out.is_null() {
        // SAFETY: promised by the caller.
        unsafe { out.write(fws_error(text).give()) };
    }
    code
}
