//! Debian's linphonec with our library in the place of libsrtp2, in a call with one on the real one. Runs with
//! `KANAME_FULL=1`; needs linphone-cli and python3.

mod kit;

use std::process::Command;

use kit::{folder, good};

#[test]
fn linphone_on_our_library() {
    if std::env::var_os("KANAME_FULL").is_none() {
        return;
    }
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
