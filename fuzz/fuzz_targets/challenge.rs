//! `hallpass_fuzz::challenge` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::challenge::check(data));
