//! Hands bytes of libFuzzer to the target `client_inputs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("client_inputs", data));
