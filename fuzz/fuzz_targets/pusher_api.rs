//! See `fws_fuzz::pusher_api`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fws_fuzz::pusher_api::check(data));
