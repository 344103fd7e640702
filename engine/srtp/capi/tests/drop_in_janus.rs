//! Debian's janus with our library in the place of libsrtp2, against GStreamer on the real one, and the other way round. Runs
//! with `KANAME_FULL=1`; needs janus, python3 and what `drop_in_gstreamer` needs.

mod kit;

use std::process::Command;

use kit::{folder, good};

#[test]
fn janus_on_our_library() {
    if std::env::var_os("KANAME_FULL").is_none() {
        return;
    }
    let folder = folder("janus");
    for side in ["ours", "theirs"] {
        good(
            Command::new("python3")
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/janus.py"))
                .arg(&folder)
                .arg(side),
        );
    }
}
