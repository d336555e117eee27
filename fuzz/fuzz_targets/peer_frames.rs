//! Hands bytes of libFuzzer to the target `peer_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("peer_frames", data));
