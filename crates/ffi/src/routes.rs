//! Routes by generation.

use crate::bytes::input;
use crate::core::core;
use crate::error::{fws_error, refuse};
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// Reads and checks the routes of a generation and keeps them until they are committed or withdrawn. Generations are chosen by the
/// caller, increasing.
///
/// `json`: `{"routes":[{"name":"chat","worker":"chat","echo":false,"origins":[],"subprotocols":[],"subprotocol_workers":
/// [{"subprotocol":"news.v1","worker":"news"}],"subprotocol_required":false,"max_message_size":1048576,
/// "max_outbox":4194304,"max_pending_events":1024,"max_connections":1000,"on_error":"continue"}],"workers":[{"name":"chat","threads":2}]}`.
/// Of a route only the name and one of worker, subprotocol_workers and echo are required. `error` (optional) receives the reason of FWS_ERR_CONFIG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_routes_stage(generation: u64, json: *const u8, len: usize, error: *mut *mut fws_error) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes valid bytes.
        let json = match unsafe { input(json, len) } {
            Ok(json) => json,
            Err(code) => return code,
        };
        match core.stage(generation, json) {
            Ok(()) => FWS_OK,
            // SAFETY: the caller passes NULL or a valid place.
            Err(why) => unsafe { refuse(error, FWS_ERR_CONFIG, why.to_string()) },
        }
    })
}

/// Puts a staged generation in force: connections keep their routes by name, those of removed routes are closed with 1001, spread
/// over time. FWS_ERR_STALE if it was not staged or a newer one is committed.
#[unsafe(no_mangle)]
pub extern "C" fn fws_routes_commit(generation: u64) -> fws_result {
    guard(FWS_ERR_PANIC, || match core() {
        None => FWS_ERR_NOT_RUNNING,
        Some(core) => core.commit(generation).map_or(FWS_ERR_STALE, |()| FWS_OK),
    })
}

/// A generation ends. One that is not committed is forgotten. In the place of the committed one the newest staged one is committed;
/// without one every connection is closed with 1001.
#[unsafe(no_mangle)]
pub extern "C" fn fws_routes_withdraw(generation: u64) -> fws_result {
    guard(FWS_ERR_PANIC, || match core() {
        None => FWS_ERR_NOT_RUNNING,
        Some(core) => core.withdraw(generation).map_or(FWS_ERR_STALE, |()| FWS_OK),
    })
}
