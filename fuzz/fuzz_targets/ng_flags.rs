//! Anything at all as a message of the `ng` protocol, read to flags; words of the flags list one by one.
#![no_main]

use kaname_sfu::ng::flags::Flags;
use kaname_sfu::ng::{Dictionary, Request, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = Request::parse(data) {
        let _ = Flags::read(&request.dictionary).map_err(|error| error.to_string());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let words = text.split('\n').take(100).map(Value::from).collect();
    let message = Dictionary::new().with("command", "query").with("call-id", "c").with("flags", Value::List(words));
    if let Ok(flags) = Flags::read(&message) {
        // What comes from outside cannot break a line of a description or a log.
        assert!(!format!("{flags:?}").contains(['\n', '\r']));
    }
});
