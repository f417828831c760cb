//! See `fws_fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fws_fuzz::frame::check(data));
