//! `hallpass_fuzz::scim` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::scim::check(data));
