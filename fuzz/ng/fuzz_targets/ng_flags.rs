//! Anything at all as a message of the `ng` protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kaname_fuzz_ng::flags(data));
