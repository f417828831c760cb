//! See `fws_fuzz::pusher`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fws_fuzz::pusher::check(data));
