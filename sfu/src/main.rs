//! The node's binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kaname_sfu::cli::run(std::env::args_os())
}
