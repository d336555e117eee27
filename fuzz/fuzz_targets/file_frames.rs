//! Hands bytes of libFuzzer to the target `file_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("file_frames", data));
