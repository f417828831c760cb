//! Timers of PHP.

use fws_hub::Command;
use fws_hub::command::{ClearTimer, SetTimer};

use crate::bell::fws_bell;
use crate::bytes::{input, optional};
use crate::command::{Out, run, run_explained};
use crate::result::fws_result::{self, *};
use crate::result::{fws_error, guard};

/// Sets a timer: after `delay_ms` milliseconds, 1 to 366 days, and with `repeat` again and again after as many, `worker` gets an event
/// FWS_EVENT_TIMER with the payload, of at most 1 MiB. Without `worker` it is that of `bell`, a claimed bell; one of the two must be
/// given. `timer` receives its number, which is used once. `error` (optional) receives the text of FWS_ERR_OUT_OF_RANGE,
/// FWS_ERR_PAYLOAD_TOO_LONG, FWS_ERR_FULL or FWS_ERR_UNKNOWN_WORKER.
///
/// With a `name` (optional, 1 to 255 bytes of UTF-8) there is one such timer of that worker: where it is set already, with the same delay,
/// payload and `repeat`, it goes on and `timer` receives its number; else this one takes its place.
///
/// Timers survive a reload; those of a worker that left with it are cleared, and counted. One that repeats does not make up for what it
/// missed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_timer_set(
    delay_ms: u64,
    payload: *const u8,
    payload_len: usize,
    repeat: bool,
    worker: *const u8,
    worker_len: usize,
    name: *const u8,
    name_len: usize,
    bell: *const fws_bell,
    timer: *mut i64,
    error: *mut *mut fws_error,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and pointers that are NULL or valid.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            let own = bell.as_ref().map(fws_bell::worker);
            let worker = optional(worker, worker_len)?.or(own).ok_or(FWS_ERR_NULL)?;
            let (payload, name) = (input(payload, payload_len)?.into(), optional(name, name_len)?);
            Ok(Command::SetTimer(SetTimer { delay: delay_ms, payload, repeat, worker, name }))
        };
        run_explained(command(), Out::Integer(timer), error)
    })
}

/// Clears a timer; `cleared` receives whether it was set. One that is due already may still be told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_timer_clear(timer: u64, cleared: *mut bool) -> fws_result {
    // SAFETY: the caller passes NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe { run(Ok(Command::ClearTimer(ClearTimer { timer })), Out::Flag(cleared)) })
}
