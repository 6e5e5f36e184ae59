//! `hallpass_fuzz::dpop_proof` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::dpop_proof::check(data));
