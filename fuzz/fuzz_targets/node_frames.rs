//! Hands bytes of libFuzzer to the target `node_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("node_frames", data));
