//! Hands bytes of libFuzzer to the target `private_challenge`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("private_challenge", data));
