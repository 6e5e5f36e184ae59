//! `hallpass_fuzz::jwks` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::jwks::check(data));
