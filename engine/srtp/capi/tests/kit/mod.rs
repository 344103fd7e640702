//! The shared library where the loader looks for libsrtp2, and programs in C.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The library this test was built with.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.with_file_name("libkaname_srtp_capi.so")
}

/// A folder in which the library has libsrtp2's names: one for each `user`, as tests run side by side.
pub(crate) fn folder(user: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(user);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder of temporary files can be written to");
    for name in ["libsrtp2.so.1", "libsrtp2.so"] {
        symlink(library(), folder.join(name)).expect("links can be made");
    }
    folder
}

/// Runs a program and expects that it ends well; gives what it wrote.
#[track_caller]
pub(crate) fn good(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    stdout.into_owned()
}

/// Compiles a C program against the header Debian has and a library in `libraries`.
#[allow(dead_code, reason = "not every test compiles")]
pub(crate) fn compile(source: &str, libraries: &Path, program: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    good(
        Command::new("cc")
            .args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(root.join("include"))
            .arg(root.join(source))
            .arg("-o")
            .arg(program)
            .arg("-L")
            .arg(libraries)
            .arg("-lsrtp2"),
    );
}
