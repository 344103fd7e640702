//! Systems beside each other: the same calls through each, taking turns.

use std::fmt::Write as _;

use super::CallError;
use super::case::Case;
use super::command::Asked;
use super::node::System;
use super::outcome::{Bounds, Outcome};
use super::row::{CallRow, with_ratios};

/// Turns taken again when the generator was late or the node was kept from its processor, before that stands as the row's
/// refusal.
const TRIES_MORE: u32 = 3;

/// One system in one case.
struct Cell {
    system: System,
    version: String,
    rounds: Vec<Outcome>,
    /// Why it takes no more turns.
    broken: Option<String>,
}

/// A row for each case and system.
pub(super) fn rows(asked: &mut Asked<'_>) -> Result<Vec<CallRow>, CallError> {
    let versions: Vec<String> = asked.systems.iter().map(System::version).collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for case in asked.cases.clone() {
        asked.bench.check_sources(&case)?;
        let open = asked.systems.iter().cloned().zip(versions.iter().cloned());
        let mut cells: Vec<Cell> = open
            .map(|(system, version)| Cell { system, version, rounds: Vec::new(), broken: None })
            .collect();
        for round in 0..asked.options.rounds {
            // Every other round backwards: who comes first gains nothing.
            if round > 0 {
                cells.reverse();
            }
            for cell in cells.iter_mut().filter(|cell| cell.broken.is_none()) {
                take(asked, case, round, cell)?;
            }
        }
        cells.sort_by_key(|cell| asked.systems.iter().position(|system| system.name() == cell.system.name()));
        rows.extend(cells.into_iter().map(|cell| row(asked, &case, cell)));
    }
    Ok(with_ratios(rows))
}

fn take(asked: &mut Asked<'_>, case: Case, round: u32, cell: &mut Cell) -> Result<(), CallError> {
    let calls = asked.options.calls.unwrap_or(case.calls);
    let turn = asked.turn(case, calls, asked.options.seconds);
    let what = format!("{} {case}, {calls} calls, round {}", cell.system.name(), round + 1);
    for again in (0..=TRIES_MORE).rev() {
        let taken = cell
            .system
            .start(&asked.bench.place)
            .and_then(|mut node| asked.bench.take(&mut node, &turn, &mut |_, _| ()));
        match taken {
            Ok(outcome) if (outcome.is_late() || outcome.is_disturbed()) && again > 0 => {
                let why = outcome.faults(&Bounds::default()).swap_remove(0);
                asked.say(&format!("{what}: {why}; once more"));
            }
            Ok(outcome) => {
                let us = outcome.cpu_us_per_packet.map_or("no".into(), |us| format!("{us:.2} us of"));
                asked.say(&format!("{what}: {us} CPU a packet, quality {:.3}", outcome.quality));
                cell.rounds.push(outcome);
                return Ok(());
            }
            // Neither system's fault.
            Err(error @ (CallError::Asked(_) | CallError::Io(_))) => return Err(error),
            Err(error) => {
                asked.say(&format!("{what}: {error}"));
                cell.broken = Some(error.to_string());
                return Ok(());
            }
        }
    }
    Ok(())
}

fn row(asked: &Asked<'_>, case: &Case, cell: Cell) -> CallRow {
    let mut row = CallRow::of(&cell.rounds);
    row.system = cell.system.name().into();
    row.version = cell.version;
    row.case = case.name.into();
    row.calls = asked.options.calls.unwrap_or(case.calls);
    row.suite = asked.suite.name().into();
    row.one_way = asked.options.one_way;
    row.refused = cell.broken.or(row.refused);
    row
}

/// The rows for people: ratios with their goals, and what may not be compared.
pub(super) fn table(rows: &[CallRow]) -> String {
    let mut text = format!(
        "{:<15} {:<10} {:>5} {:>7} {:>8} {:>6} {:>6} {:>8} {:>8} {:>5} {:>8} {:>8} {:>7}\n",
        "case",
        "system",
        "calls",
        "pkt/s",
        "us/pkt",
        "core",
        "lost",
        "quality",
        "foreign",
        "gaps",
        "p50 ms",
        "p99 ms",
        "keys"
    );
    for row in rows {
        let cpu = row.cpu_us_per_packet.map_or("-".into(), |us| format!("{us:.2}"));
        let share = row.cpu_share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0));
        let foreign = row.quality_foreign.map_or("-".into(), |quality| format!("{quality:.3}"));
        let _ = writeln!(
            text,
            "{:<15} {:<10} {:>5} {:>7.0} {cpu:>8} {share:>6} {:>6} {:>8.3} {foreign:>8} {:>5} {:>8.2} {:>8.2} {:>7}",
            row.case,
            row.system,
            row.calls,
            row.packets_per_second,
            row.lost,
            row.quality,
            row.gaps,
            row.delay_ms.p50,
            row.delay_ms.p99,
            format!("{}/{}", row.keys_heard, row.keys_due),
        );
    }
    text.push('\n');
    for row in rows {
        if let Some(ratio) = row.ratio {
            let goal = match (ratio.goal, ratio.reached()) {
                (Some(goal), Some(true)) => format!(" (goal: at most {goal} x, reached)"),
                (Some(goal), _) => format!(" (goal: at most {goal} x, MISSED)"),
                (None, _) => String::new(),
            };
            let _ = writeln!(text, "{} costs {:.2} x of rtpengine{goal}", row.case, ratio.ratio);
        }
        if let Some(why) = &row.refused {
            let _ = writeln!(text, "{} {} is not good: {why}", row.case, row.system);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Ratio;

    #[test]
    fn misses_and_refusals_are_said() {
        let ratio = Some(Ratio { ratio: 0.3, goal: Some(0.25) });
        let missed =
            CallRow { system: "kaname".into(), case: "pcma-opus".into(), ratio, ..CallRow::default() };
        let refused = CallRow { refused: Some("9 packets came twice".into()), ..CallRow::default() };
        let text = table(&[missed, refused]);
        assert!(
            text.contains("pcma-opus costs 0.30 x of rtpengine (goal: at most 0.25 x, MISSED)"),
            "{text}"
        );
        assert!(text.contains("is not good: 9 packets came twice"), "{text}");
    }
}
