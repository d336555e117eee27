//! Hands bytes of libFuzzer to the target `client_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("client_frames", data));
