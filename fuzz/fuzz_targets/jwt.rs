//! `hallpass_fuzz::jwt` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::jwt::check(data));
