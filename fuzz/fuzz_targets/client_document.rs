//! `hallpass_fuzz::client_document` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::client_document::check(data));
