//! Hands bytes of libFuzzer to the target `private_lost`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("private_lost", data));
