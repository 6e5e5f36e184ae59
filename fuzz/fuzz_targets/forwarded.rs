//! `hallpass_fuzz::forwarded` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::forwarded::check(data));
