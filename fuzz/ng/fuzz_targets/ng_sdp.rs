//! Anything at all as a session description.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kaname_fuzz_ng::session_description(text));
