//! `kaname-bench`: load for media nodes, and what they make of it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kaname_bench::fleet;

/// Load for media nodes: fleets of real clients in scenarios, measured to the packet
#[derive(Parser)]
#[command(name = "kaname-bench", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scenario against a node, or look for the node's capacity
    Run(Box<fleet::command::Options>),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Run(options) => options.run(),
    }
}
