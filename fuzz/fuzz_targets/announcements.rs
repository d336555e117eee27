//! Hands bytes of libFuzzer to the target `announcements`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::one("announcements", data));
