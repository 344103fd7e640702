//! Debian's linphonec with our library in the place of libsrtp2, in a call with one on the real one. In the
//! full suite; needs linphone-cli and python3.

mod kit;

use std::process::Command;

use kit::{folder, good};

#[test]
#[ignore = "full suite: needs linphone-cli"]
fn linphone_on_our_library() {
    let folder = folder("linphone");
    for side in ["ours", "theirs"] {
        good(
            Command::new("python3")
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/linphone.py"))
                .arg(&folder)
                .arg(side),
        );
    }
}
