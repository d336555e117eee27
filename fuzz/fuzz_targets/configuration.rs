//! Hands bytes of libFuzzer to the target `configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("configuration", data));
