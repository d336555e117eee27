//! Hands bytes of libFuzzer to the target `private_confirmation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("private_confirmation", data));
