//! `kaname-bench compare`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use kaname_machine::{Machine, record};
use serde_json::Map;

use super::judge::{Cell, is_late, refusal, rows};
use super::scenario::{SCENARIOS, Scenario};
use super::table;
use super::turns::{Taken, Turn};
use super::view::View;
use crate::report;
use crate::rivals::{Placement, RivalError, SYSTEMS, Suite, System, system};
use crate::row::CompareRow;

/// Both suites, the older one first: every rival has it.
const SUITES: [Suite; 2] = [Suite::Cm, Suite::Gcm128];

/// Turns taken again when the harness itself was late, before that stands as the row's refusal.
const TRIES_MORE: u32 = 2;

/// Compares our node with Debian's Janus and rtpengine on this machine: same load, same sink, systems taking turns.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// One JSON object a row instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Systems, divided by commas.
    #[arg(long, value_delimiter = ',', default_values_t = SYSTEMS.map(str::to_owned))]
    pub systems: Vec<String>,
    /// Scenarios, divided by commas: voice-N, video-N, rtp-srtp-N.
    #[arg(long, value_delimiter = ',', default_values_t = SCENARIOS.map(str::to_owned))]
    pub scenarios: Vec<String>,
    /// Only suites whose name contains this text, such as GCM.
    #[arg(long, default_value = "")]
    pub suite: String,
    /// Rounds; systems take turns in each, and medians count.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Seconds of media that count in each turn.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub seconds: u32,
    /// Our node's program; unset: `kaname` beside this one.
    #[arg(long)]
    pub node: Option<PathBuf>,
    /// Also keep the rows below this folder: FOLDER/<cpu>/<date>-compare.jsonl.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "perf/record")]
    pub record: Option<PathBuf>,
    /// Also write a page with plots.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// No progress on standard error.
    #[arg(long)]
    pub quiet: bool,
}

/// Runs the comparison. Success means that every system carried every scenario it was compared in; a missed goal is a
/// figure, not a failure.
pub fn run(options: &Options) -> ExitCode {
    let err = &mut std::io::stderr();
    let done = compare(options).and_then(|(place, rows)| {
        publish(options, &place, &rows)?;
        Ok(rows)
    });
    match done {
        Ok(rows) if rows.iter().all(|row| row.refused.is_none()) => ExitCode::SUCCESS,
        Ok(_) => {
            let _ = writeln!(err, "some rows are refused: they say why");
            ExitCode::FAILURE
        }
        Err(error) => {
            let _ = writeln!(err, "kaname-bench compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The rows, and where they were measured.
pub(crate) fn compare(options: &Options) -> Result<(Placement, Vec<CompareRow>), RivalError> {
    let place = Placement::find()?;
    let mut systems = open(options)?;
    let mut cells = cells(options, &systems)?;
    let view = View::new(options.quiet, cells.len() as u64 * u64::from(options.rounds));
    if !place.real_time {
        view.say("no right to SCHED_FIFO: other work of this machine will show in the figures (run as root, or with CAP_SYS_NICE)");
    }
    for round in 0..options.rounds {
        // Every other round backwards: who comes first gains nothing.
        let mut order: Vec<usize> = (0..cells.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            turn(&mut cells[index], &systems, &place, options, &view, round)?;
        }
    }
    view.end();
    systems.clear();
    let rows = rows(&cells.into_iter().map(|planned| planned.cell).collect::<Vec<_>>());
    Ok((place, rows))
}

/// A system and its version.
type Open = (Box<dyn System>, String);

/// A cell and what it takes to fill it.
struct Planned {
    cell: Cell,
    system: usize,
    scenario: Scenario,
}

fn open(options: &Options) -> Result<Vec<Open>, RivalError> {
    let beside = std::env::current_exe()?.with_file_name("kaname");
    let node = options.node.clone().unwrap_or(beside);
    let mut systems = Vec::new();
    for name in &options.systems {
        let known = system(name, &node).ok_or_else(|| {
            RivalError::Cannot(format!("no system `{name}`: there are {}", SYSTEMS.join(", ")))
        })?;
        let version = known.version()?;
        systems.push((known, version));
    }
    Ok(systems)
}

/// Every system in every scenario with every suite that it has a way for.
fn cells(options: &Options, systems: &[Open]) -> Result<Vec<Planned>, RivalError> {
    let mut cells = Vec::new();
    for name in &options.scenarios {
        let scenario = Scenario::named(name).map_err(RivalError::Cannot)?;
        for suite in SUITES.into_iter().filter(|suite| suite.name().contains(&options.suite)) {
            for (index, (system, version)) in systems.iter().enumerate() {
                if system.can(&scenario, suite).is_err() {
                    continue;
                }
                let cell = Cell {
                    system: system.name().into(),
                    version: version.clone(),
                    scenario: name.clone(),
                    suite,
                    receivers: scenario.receivers(),
                    rounds: Vec::new(),
                };
                cells.push(Planned { cell, system: index, scenario: scenario.clone() });
            }
        }
    }
    if cells.is_empty() {
        return Err(RivalError::Cannot(
            "none of these systems has a way to do any of these scenarios".into(),
        ));
    }
    Ok(cells)
}

fn turn(
    planned: &mut Planned,
    systems: &[Open],
    place: &Placement,
    options: &Options,
    view: &View,
    round: u32,
) -> Result<(), RivalError> {
    let cell = &mut planned.cell;
    let what = format!("{} {} {}, round {}", cell.system, cell.scenario, cell.suite.name(), round + 1);
    view.begin(&what);
    let system = systems[planned.system].0.as_ref();
    let turn = Turn { system, scenario: &planned.scenario, suite: cell.suite, seconds: options.seconds };
    let mut taken = turn_of(&turn, &what, place, view)?;
    for _ in 0..TRIES_MORE {
        if is_late(&taken.tally) {
            view.say(&format!("{what}: the harness itself was late, once more"));
            taken = turn_of(&turn, &what, place, view)?;
        }
    }
    let verdict = match (refusal(&taken.tally), taken.tally.cpu_us_per_packet()) {
        (Some(why), _) => format!("refused: {why}"),
        (None, Some(us)) => format!("{us:.2} us a packet"),
        (None, None) => "no CPU time to be had".into(),
    };
    view.done(&format!("{what}: {verdict}"));
    cell.rounds.push(taken);
    Ok(())
}

fn turn_of(turn: &Turn<'_>, what: &str, place: &Placement, view: &View) -> Result<Taken, RivalError> {
    turn.take(place, |progress, over| view.watch(progress, over)).map_err(|error| match error {
        RivalError::Missing { .. } | RivalError::Cannot(_) => error,
        error => RivalError::Setup(format!("{what}: {error}")),
    })
}

/// Rows to standard output, and to the record and the report where asked for.
fn publish(options: &Options, place: &Placement, rows: &[CompareRow]) -> Result<(), RivalError> {
    let lines: Vec<String> = rows.iter().map(|row| serde_json::json!(row).to_string()).collect();
    let text = if options.json { lines.join("\n") + "\n" } else { table::text(rows) };
    std::io::stdout().write_all(text.as_bytes())?;
    let machine = Machine::here();
    if let Some(folder) = &options.record {
        let head = Map::from_iter([
            ("rounds".to_owned(), options.rounds.into()),
            ("seconds".to_owned(), options.seconds.into()),
            ("real_time".to_owned(), place.real_time.into()),
        ]);
        record(folder, &machine, "compare", head, &lines)?;
    }
    if let Some(file) = &options.report {
        write_report(file, &machine, rows)?;
    }
    Ok(())
}

fn write_report(file: &Path, machine: &Machine, rows: &[CompareRow]) -> Result<(), RivalError> {
    let input = report::Input {
        title: "Kaname beside Janus and rtpengine".into(),
        machine: machine.clone(),
        date: kaname_machine::today(),
        rows: rows.to_vec(),
        ..report::Input::default()
    };
    Ok(std::fs::write(file, report::page(&input))?)
}

#[cfg(test)]
impl Options {
    /// One short quiet round.
    pub(crate) fn of(systems: &[&str], scenarios: &[&str]) -> Options {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Options {
            json: true,
            systems: owned(systems),
            scenarios: owned(scenarios),
            suite: String::new(),
            rounds: 1,
            seconds: 1,
            node: None,
            record: None,
            report: None,
            quiet: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_named() {
        let why = |systems: &[&str], scenarios: &[&str]| {
            compare(&Options::of(systems, scenarios)).unwrap_err().to_string()
        };
        assert!(why(&["asterisk"], &["voice-5"]).contains("kaname, janus, rtpengine"));
        let mut nowhere = Options::of(&["kaname"], &["voice-5"]);
        nowhere.node = Some("/nowhere/kaname".into());
        assert!(compare(&nowhere).unwrap_err().to_string().contains("--node"));
    }
}
