//! What C owns: made by one function, freed by another.

/// A type that C holds by pointer. [`Owned::give`] hands it to C, [`Owned::take`] gets it back: no other code of this crate makes or
/// frees such a pointer.
pub(crate) trait Owned: Sized {
    /// Hands it to C, which owns it from now on.
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }

    /// Gets it back from C; `None` for NULL.
    ///
    /// # Safety
    /// `pointer` is NULL, or it came from [`Owned::give`] and C gives it back for the first time.
    unsafe fn take(pointer: *mut Self) -> Option<Box<Self>> {
        // SAFETY: promised by the caller.
        (!pointer.is_null()).then(|| unsafe { Box::from_raw(pointer) })
    }
}
