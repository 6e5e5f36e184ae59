//! `hallpass_fuzz::authorization` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::authorization::check(data));
