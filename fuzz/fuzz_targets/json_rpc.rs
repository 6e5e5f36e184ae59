//! `hallpass_fuzz::json_rpc` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hallpass_fuzz::json_rpc::check(data));
