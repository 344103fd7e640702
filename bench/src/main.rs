//! `kaname-bench`: load for media nodes, what they make of it, and how they compare.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kaname_bench::{calls, compare, fleet, report};

/// Load for media nodes: fleets of real clients in scenarios, measured to the packet; and nodes beside each other
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
    /// Our node beside Debian's Janus and rtpengine: same load, same sink, taking turns
    Compare(compare::command::Options),
    /// Telephone calls through a media relay that speaks ng: quality, cost, capacity, rate of set-ups
    Calls(calls::command::Options),
    /// A page with plots from what `run`, `compare` and `calls` wrote
    Report(report::command::Options),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Run(options) => options.run(),
        Command::Compare(options) => compare::command::run(&options),
        Command::Calls(options) => calls::command::run(&options),
        Command::Report(options) => report::command::run(&options),
    }
}
