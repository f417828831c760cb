//! Global values.

use fws_hub::Command;
use fws_hub::command::{Add, Delete, Expiry, Get, Increment, Set};

use crate::bytes::{fws_reply, input};
use crate::command::{Out, run};
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// Expiry in seconds as the caller writes it; 0: never.
fn expire(seconds: u64) -> Option<u64> {
    (seconds > 0).then_some(seconds)
}

/// Sets the value of a key of 1 to 1024 bytes; it is gone after `expire_seconds`, 0: never. Replaces an earlier value and its expiry.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_value_set(
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    expire_seconds: u64,
) -> fws_result {
    // SAFETY: the caller passes valid bytes.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            Ok(Command::Set(Set {
                key: input(key, key_len)?.into(),
                value: input(value, value_len)?.into(),
                expire: expire(expire_seconds),
            }))
        };
        run(command(), Out::Nothing)
    })
}

/// Sets a value if the key has none; `added` receives whether it was set. What a lock needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_value_add(
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    expire_seconds: u64,
    added: *mut bool,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            Ok(Command::Add(Add {
                key: input(key, key_len)?.into(),
                value: input(value, value_len)?.into(),
                expire: expire(expire_seconds),
            }))
        };
        run(command(), Out::Flag(added))
    })
}

/// The value of a key: item 0 of the reply. FWS_END: it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_value_get(key: *const u8, key_len: usize, out: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Get(Get { key: input(key, key_len)?.into() }));
        run(command(), Out::Value(out))
    })
}

/// Deletes a value; `deleted` receives whether there was one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_value_delete(key: *const u8, key_len: usize, deleted: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Delete(Delete { key: input(key, key_len)?.into() }));
        run(command(), Out::Flag(deleted))
    })
}

/// Adds to a value that is a decimal integer, 0 if there is none; its expiry stays. `sum` receives the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_value_increment(key: *const u8, key_len: usize, by: i64, sum: *mut i64) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Increment(Increment { key: input(key, key_len)?.into(), by }));
        run(command(), Out::Integer(sum))
    })
}

/// How long a value lives on: `milliseconds` receives that, or -1 if it does not expire. FWS_END: the key has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_value_expiry(key: *const u8, key_len: usize, milliseconds: *mut i64) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Expiry(Expiry { key: input(key, key_len)?.into() }));
        run(command(), Out::Integer(milliseconds))
    })
}
