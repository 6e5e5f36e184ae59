//! `hallpass_fuzz::security_event` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::security_event::check(data));
