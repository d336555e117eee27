//! Hands bytes of libFuzzer to the target `file_ends`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("file_ends", data));
