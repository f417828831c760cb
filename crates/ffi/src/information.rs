//! Stored information: what PHP keeps about one client.

use fws_hub::command::{AllInformation, ClearInformation, DeleteInformation, GetInformation, SearchInformation, SetInformation};
use fws_hub::{Command, Operator};

use crate::bytes::{fws_reply, input, optional, text};
use crate::command::{Out, run, run_explained};
use crate::result::fws_result::{self, *};
use crate::result::{fws_error, guard};

/// Stores a value about a client under a key of 1 to 255 bytes; it goes with the client. At most 256 keys and 4 MiB a client. `done`
/// receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_information_set(
    id: *const u8,
    id_len: usize,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    done: *mut bool,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            Ok(Command::SetInformation(SetInformation {
                id: text(id, id_len)?,
                key: text(key, key_len)?,
                value: input(value, value_len)?.into(),
            }))
        };
        run(command(), Out::Flag(done))
    })
}

/// What is stored about a client under a key: item 0 of the reply. FWS_END: nothing, or the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_information_get(
    id: *const u8,
    id_len: usize,
    key: *const u8,
    key_len: usize,
    out: *mut *mut fws_reply,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::GetInformation(GetInformation { id: text(id, id_len)?, key: text(key, key_len)? }));
        run(command(), Out::Value(out))
    })
}

/// Deletes what is stored about a client under a key; `deleted` receives whether there was something: false, too, where
/// the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_information_delete(
    id: *const u8,
    id_len: usize,
    key: *const u8,
    key_len: usize,
    deleted: *mut bool,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::DeleteInformation(DeleteInformation { id: text(id, id_len)?, key: text(key, key_len)? }));
        run(command(), Out::Flag(deleted))
    })
}

/// Deletes all that is stored about a client. `done` receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_information_clear(id: *const u8, id_len: usize, done: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::ClearInformation(ClearInformation { id: text(id, id_len)? }));
        run(command(), Out::Flag(done))
    })
}

/// All that is stored about a client, sorted by key: the items of the reply are key, value, key, value, …. FWS_END: the
/// client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_information_all(id: *const u8, id_len: usize, out: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::AllInformation(AllInformation { id: text(id, id_len)? }));
        run(command(), Out::Pairs(out))
    })
}

/// The ids of the clients, of a route (optional), whose value under a key compares with `value` as the operator says: 0 equal, 1 not
/// equal, 2 prefix, 3 suffix, 4 contains, 5 to 8 equal, prefix, suffix, contains whatever the case, 9 regular expression (UTF-8,
/// without look-around and backreferences). A client without the key is not found. `error` (optional) receives the text of FWS_ERR_SYNTAX.
///
/// No lock is held while values are compared. FWS_ERR_SEARCH_TIMEOUT: it took longer than search_timeout.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_information_search(
    key: *const u8,
    key_len: usize,
    operator: u32,
    value: *const u8,
    value_len: usize,
    route: *const u8,
    route_len: usize,
    out: *mut *mut fws_reply,
    error: *mut *mut fws_error,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or valid places.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            let operator = *Operator::ALL.get(operator as usize).ok_or(FWS_ERR_OUT_OF_RANGE)?;
            let (key, route) = (text(key, key_len)?, optional(route, route_len)?);
            Ok(Command::SearchInformation(SearchInformation { key, operator, value: input(value, value_len)?.into(), route }))
        };
        run_explained(command(), Out::Names(out), error)
    })
}
