//! See `fws_fuzz::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fws_fuzz::message::check(data));
