//! The core of the process: start, flag, drain, gate, log, statistics.

use std::ffi::c_char;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fws_server::{Authorizing, Config, Core};
use parking_lot::Mutex;

use crate::bytes::input;
use crate::error::{fws_error, refuse};
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// The version of this ABI: changed when a function or a struct changes its meaning.
pub const FWS_ABI_VERSION: u32 = 3;

static CORE: OnceLock<Arc<Core>> = OnceLock::new();
/// Guards the start, so that two first callers do not start two.
static START: Mutex<()> = Mutex::new(());

/// The core, if it is started.
pub(crate) fn core() -> Option<&'static Arc<Core>> {
    CORE.get()
}

/// The version of the ABI of the library that is linked: to be compared with FWS_ABI_VERSION of the header.
#[unsafe(no_mangle)]
pub extern "C" fn fws_abi_version() -> u32 {
    guard(0, || FWS_ABI_VERSION)
}

/// The version of the library, static and NUL-terminated.
#[unsafe(no_mangle)]
pub extern "C" fn fws_version() -> *const c_char {
    guard(c"".as_ptr(), || concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}

/// Starts the core of this process; once it runs, further calls change nothing and are FWS_OK.
///
/// `config` is JSON, optional: `{"shards": 2, "max_unfinished": 1048576, "max_pending_bytes": 1048576, "max_compression_memory": 1048576,
/// "search_timeout": 1000000000, "values": {"max_entries": 1000, "max_size": 1048576}}`. What is 0 or absent has its default.
/// * `shards`: threads that own sockets; one for every two processors.
/// * `max_unfinished`: how many bytes messages that have come only in part may take, of all clients together; 512 MiB. Beyond it, of the
///   address that holds most, the oldest goes, and its client is closed with 1013.
/// * `max_pending_bytes`: from so many bytes of events on that wait for PHP, of all clients together, handshakes get 503, and a client that
///   has events waiting is not read until they are handled; 512 MiB.
/// * `max_compression_memory`: how many bytes compression may keep between messages; 256 MiB.
/// * `search_timeout`: how many nanoseconds a command may look at clients, tags and stored information; a second. Then it ends with
///   FWS_ERR_SEARCH_TIMEOUT.
/// * `values`: how many global values there may be and how many bytes they may take, with their keys and 128 for each; 1,000,000 and
///   256 MiB.
///
/// `error` (optional) receives the reason of FWS_ERR_CONFIG or FWS_ERR_IO.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_core_start(config: *const u8, config_len: usize, error: *mut *mut fws_error) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes valid bytes.
        let json = match unsafe { input(config, config_len) } {
            Ok(json) => json,
            Err(code) => return code,
        };
        let config = if json.is_empty() { Ok(Config::default()) } else { serde_json::from_slice(json) };
        let config = match config {
            Ok(config) => config,
            // SAFETY: the caller passes NULL or a valid place.
            Err(why) => return unsafe { refuse(error, FWS_ERR_CONFIG, format!("core: {why}")) },
        };
        let _start = START.lock();
        if CORE.get().is_some() {
            return FWS_OK;
        }
        match Core::start(&config) {
            Ok(core) => {
                let _ = CORE.set(core);
                FWS_OK
            }
            // SAFETY: the caller passes NULL or a valid place.
            Err(why) => unsafe { refuse(error, FWS_ERR_IO, format!("the core could not be started: {why}")) },
        }
    })
}

/// Whether the core of this process is started.
#[unsafe(no_mangle)]
pub extern "C" fn fws_core_running() -> bool {
    guard(false, || core().is_some())
}

/// A non-blocking eventfd that becomes readable when bells or log records wait; -1 before the start.
///
/// It belongs to the core and lives as long as the process. Read 8 bytes of it, then call fws_bells_take and fws_log_take until both
/// have nothing more.
#[unsafe(no_mangle)]
pub extern "C" fn fws_core_fd() -> i32 {
    guard(-1, || core().map_or(-1, |core| core.flag()))
}

/// Ends every connection and refuses new ones, in at most `timeout_ms` milliseconds. First nothing more is read, and what was read is handled,
/// for which half of the time is given. Then the connections are closed with 1001, and it is waited until they are gone and their close
/// events are handled. Blocks. A later commit accepts connections again.
///
/// `remaining` (optional) receives how many clients have not answered the close frame, `unhandled` (optional) how many connections have
/// ended without PHP having handled their last events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_core_drain(timeout_ms: u32, remaining: *mut u64, unhandled: *mut u64) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        let left = core.drain(Duration::from_millis(timeout_ms.into()));
        for (out, count) in [(remaining, left.connections), (unhandled, left.unhandled)] {
            // SAFETY: the caller passes NULL or a valid place.
            if let Some(out) = unsafe { out.as_mut() } {
                *out = count;
            }
        }
        FWS_OK
    })
}

/// Tells the core what the host has counted of the handshakes that it puts to the site before it opens them: the statistics show it.
/// `waiting` and `running` are those of now, `asked`, `given_up` and `refused_busy` those since the start. Without a core it does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn fws_core_authorizing(waiting: u64, running: u64, asked: u64, given_up: u64, refused_busy: u64) {
    guard((), || {
        if let Some(core) = core() {
            core.set_authorizing(Authorizing { waiting, running, asked, given_up, refused_busy });
        }
    })
}

/// Closes the gate once more: while it is closed no bell is handed out, and running ones end at their next event. Waits until none is
/// left, at most `timeout_ms` milliseconds. Blocks. `running` (optional) receives how many are left. Each call is undone by one of
/// fws_gate_open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_gate_close(timeout_ms: u32, running: *mut u32) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        let left = core.close_gate(Duration::from_millis(timeout_ms.into()));
        // SAFETY: the caller passes NULL or a valid place.
        if let Some(running) = unsafe { running.as_mut() } {
            *running = u32::try_from(left).unwrap_or(u32::MAX);
        }
        FWS_OK
    })
}

/// Undoes one fws_gate_close.
#[unsafe(no_mangle)]
pub extern "C" fn fws_gate_open() {
    guard((), || {
        if let Some(core) = core() {
            core.open_gate();
        }
    })
}

/// Moves log records into `buffer`, whole lines of JSON: `{"level":"info|warn|error","msg":"…","fields":{…}}`. Returns the bytes
/// written; 0: there are none. `capacity` must be at least 65536.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_log_take(buffer: *mut u8, capacity: usize) -> usize {
    guard(0, || match core() {
        Some(core) if !buffer.is_null() => {
            core.lower_flag();
            // SAFETY: the caller passes a buffer of this capacity; it is only written to.
            core.take_log(unsafe { std::slice::from_raw_parts_mut(buffer, capacity) })
        }
        _ => 0,
    })
}
