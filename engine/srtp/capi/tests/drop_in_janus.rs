//! Debian's janus with our library in the place of libsrtp2, against GStreamer on the real one, and the other way round.
//! In the full suite; needs janus, python3 and what `drop_in_gstreamer` needs.

mod kit;

use std::process::Command;

use kit::{folder, good};

#[test]
#[ignore = "full suite: needs janus and GStreamer"]
fn janus_on_our_library() {
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
