//! Audio: what the pipeline and the mixer cost beside the bare codec calls that they make, in the same run.
//!
//! `media [--rounds N] [--json]`. Systems take turns within each round, and the best turn counts: microseconds of one
//! core per frame of 20 ms, and the ratios that have goals.

#[path = "../media/mod.rs"]
mod media;

use clap::Parser;

/// What to measure, and how long.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Rounds, each of one second of audio for each system.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// One JSON object a line in place of a table.
    #[arg(long)]
    json: bool,
    /// Only the cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn main() {
    let arguments = Arguments::parse();
    for row in media::rows(arguments.rounds, &arguments.only) {
        if arguments.json {
            println!("{}", row.to_json());
        } else {
            println!("{}", row.to_line());
        }
    }
}
