//! `kaname-bench`: load, capacity and comparison from the command line.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kaname_bench::compare;

/// Load, capacity and comparison of media nodes.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Our node beside Debian's Janus and rtpengine: same load, same sink, taking turns.
    Compare(compare::command::Options),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Compare(options) => compare::command::run(&options),
    }
}
