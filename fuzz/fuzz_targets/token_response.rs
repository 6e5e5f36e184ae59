//! `hallpass_fuzz::token_response` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::token_response::check(data));
