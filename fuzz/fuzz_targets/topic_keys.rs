//! Hands bytes of libFuzzer to the target `topic_keys`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("topic_keys", data));
