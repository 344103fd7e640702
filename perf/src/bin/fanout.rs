//! The fan-out table: nanoseconds of one core for each packet that leaves, of the kernel alone and of the node's whole
//! path, and the goals beside the figures.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use kaname_perf::allocations::Counting;
use kaname_perf::fanout::goals::{self, Goal};
use kaname_perf::fanout::net::Net;
use kaname_perf::fanout::plan::{self, Field, Wanted};
use kaname_perf::fanout::row::{self, Row};
use kaname_perf::fanout::{burst, turns};
use kaname_perf::limit::Limit;
use kaname_perf::machine::{self, Machine};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What it costs to send one packet to many: the kernel's ceilings, and the node's whole path beside them.
#[derive(Parser)]
struct Options {
    /// One JSON object a row instead of the table.
    #[arg(long)]
    json: bool,
    /// Also keep the rows in perf/record/<cpu>/<date>-fanout.jsonl.
    #[arg(long)]
    record: bool,
    /// Only what the goals need, in fewer rounds.
    #[arg(long)]
    quick: bool,
    /// Only cells whose label contains this text; may be given several times.
    #[arg(long)]
    filter: Vec<String>,
    /// Rounds in which all systems of a shape take turns; medians count.
    #[arg(long)]
    rounds: Option<usize>,
    /// Packets of a turn.
    #[arg(long)]
    packets: Option<usize>,
    /// The processor to be pinned to, by its place among those allowed.
    #[arg(long, default_value_t = 1)]
    processor: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    kaname_io::pin_current_thread(options.processor)?;
    let net = Net::new()?;
    let field = Field::new(&net)?;
    let wanted = Wanted { quick: options.quick, filters: options.filter.clone() };
    let rounds = options.rounds.unwrap_or(if options.quick { 5 } else { 9 });
    let packets = options.packets.unwrap_or(if options.quick { 7_000 } else { 20_000 });
    let mut rows = Vec::new();
    let print = |text: &str| if options.json { Ok(()) } else { writeln!(io::stdout(), "{text}") };
    print(&row::heading())?;
    let mut measure = |mut contestants: Vec<Box<dyn turns::Contestant>>| {
        for outcome in turns::run(&mut contestants, net.sink(), packets, rounds)? {
            let row = Row::new(outcome);
            let line = if options.json { row.json().to_string() } else { row.line() };
            writeln!(io::stdout(), "{line}")?;
            rows.push(row);
        }
        Ok::<_, io::Error>(())
    };
    for shape in plan::received(options.quick) {
        measure(plan::receivers(&field, &shape, &wanted)?)?;
    }
    for family in plan::families(options.quick) {
        let contestants = family.iter().map(|shape| plan::senders(&field, shape, &wanted));
        measure(contestants.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())?;
    }
    let burst = if options.filter.is_empty() { Some(burst::run(&net)?) } else { None };
    let goals = goals::all(&rows, Limit::measure().as_ref(), burst.as_ref());
    print(&goals::heading())?;
    goals.iter().try_for_each(|goal| print(&goal.line()))?;
    if options.record {
        let lines: Vec<_> = rows.iter().map(Row::json).chain(goals.iter().map(Goal::json)).collect();
        let head = [("backend", kaname_srtp::Backend::best().name().into()), ("rounds", rounds.into())];
        let head = head.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
        let kept = machine::record(&folder, &Machine::here(), "fanout", head, &lines)?;
        writeln!(io::stderr(), "kept in {}", kept.display())?;
    }
    Ok(())
}
