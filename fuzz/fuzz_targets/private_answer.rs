//! Hands bytes of libFuzzer to the target `private_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("private_answer", data));
