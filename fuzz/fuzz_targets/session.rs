//! See `fws_fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fws_fuzz::session::check(data));
