//! What contexts are said to take is what they take: budgets count it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use fws_wire::deflate::{Deflater, Inflater};

/// The system's allocator, which counts.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the same promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the same promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn measured<T>(make: impl FnOnce() -> T, held: impl FnOnce(&T) -> usize) -> (usize, usize) {
    let before = HELD.load(Ordering::Relaxed);
    let made = make();
    (HELD.load(Ordering::Relaxed) - before, held(&made))
}

#[test]
fn contexts_take_what_they_are_said_to_take() {
    let mut all = vec![measured(|| Box::new(Inflater::default()), |inflater| inflater.held())];
    for window_bits in 9..=15 {
        for lean in [false, true] {
            all.push(measured(|| Box::new(Deflater::new(6, window_bits, lean)), |deflater| deflater.held()));
        }
    }
    for (really, said) in all {
        assert!(said.abs_diff(really) <= really / 20, "said to be {said}, but {really}");
    }
}
