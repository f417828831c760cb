//! See `fws_fuzz::control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fws_fuzz::control::check(data));
