//! `hallpass_fuzz::identifiers` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::identifiers::check(data));
