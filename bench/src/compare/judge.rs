//! Whether figures may stand beside each other.

use std::collections::BTreeMap;

use super::tally::{Tally, histogram, percentiles};
use super::turns::Taken;
use crate::rivals::Suite;
use crate::row::{CompareRow, Ratio};

/// Loss up to which a system counts as having carried the load.
const LOSS_MAX: f64 = 0.001;
/// A source later than this at its 99th percentile offered another load than it said.
const LATE_MAX_US: u64 = 5_000;
/// Against Janus's SRTP forwarders, and against rtpengine from RTP to SRTP.
const GOAL: f64 = 0.35;

/// Why this round says nothing about the system, if it does not.
pub(super) fn refusal(tally: &Tally) -> Option<String> {
    let Tally { due, unauthentic, unequal, repeated, late_us, .. } = *tally;
    let lost = tally.lost();
    if unauthentic > 0 {
        return Some(format!("{unauthentic} packets did not authenticate"));
    }
    if unequal > 0 {
        return Some(format!("{unequal} packets were not what was sent"));
    }
    if repeated > 0 {
        return Some(format!("{repeated} packets came twice"));
    }
    if due == 0 || lost as f64 > due as f64 * LOSS_MAX {
        return Some(format!("{lost} of {due} packets were lost"));
    }
    if is_late(tally) {
        return Some(format!("the harness itself was late: p99 {late_us} us"));
    }
    None
}

/// Whether the source fell behind: such a turn says nothing about anybody, and is taken again.
pub(super) fn is_late(tally: &Tally) -> bool {
    tally.late_us > LATE_MAX_US
}

/// One cell of the table: a system in a scenario with a suite, and its rounds.
pub(super) struct Cell {
    pub(super) system: String,
    pub(super) version: String,
    pub(super) scenario: String,
    pub(super) suite: Suite,
    pub(super) receivers: usize,
    pub(super) rounds: Vec<Taken>,
}

impl Cell {
    /// Its row, without ratios.
    pub(super) fn row(&self) -> CompareRow {
        let tallies = || self.rounds.iter().map(|round| &round.tally);
        let mut delay = histogram();
        for tally in tallies() {
            // Both have the same bounds, so nothing is out of range.
            let _ = delay.add(&tally.delay);
        }
        let cpu: Vec<f64> = tallies().filter_map(Tally::cpu_us_per_packet).collect();
        let rates = tallies().map(|t| t.came_meanwhile as f64 / t.seconds.max(f64::MIN_POSITIVE)).collect();
        CompareRow {
            system: self.system.clone(),
            version: self.version.clone(),
            scenario: self.scenario.clone(),
            suite: self.suite.name().into(),
            payload: self.rounds.first().map_or(0, |round| round.payload),
            subscribers: self.receivers as u32,
            packets_per_second: median(rates).map_or(0.0, |rate| rate.round()),
            cpu_us_per_packet: median(cpu.clone()),
            cpu_us_rounds: cpu,
            cpu_share: median(tallies().filter_map(Tally::cpu_share).collect()),
            due: tallies().map(|t| t.due).sum(),
            lost: tallies().map(Tally::lost).sum(),
            delay_us: percentiles(&delay),
            resident_bytes: tallies().filter_map(|t| t.resident_bytes).max(),
            refused: tallies().find_map(refusal),
            note: self.rounds.first().map_or_else(String::new, |round| round.note.clone()),
            ratios: BTreeMap::new(),
        }
    }
}

/// All rows, ours with their ratios.
pub(super) fn rows(cells: &[Cell]) -> Vec<CompareRow> {
    let mut rows: Vec<CompareRow> =
        cells.iter().filter(|cell| !cell.rounds.is_empty()).map(Cell::row).collect();
    let rivals: Vec<CompareRow> = rows.iter().filter(|row| row.system != "kaname").cloned().collect();
    for row in rows.iter_mut().filter(|row| row.system == "kaname") {
        for rival in rivals.iter().filter(|rival| rival.suite == row.suite) {
            let Some(goal) = comparable(&row.scenario, &rival.system, &rival.scenario) else { continue };
            if let Some(ratio) = ratio(row, rival) {
                row.ratios.insert(format!("{}/{}", rival.system, rival.scenario), Ratio { ratio, goal });
            }
        }
    }
    rows
}

/// Whether a packet of one scenario may be compared with one of another, and with which goal. rtpengine relays calls
/// only, so its forwarded packet stands beside ours in a room as well.
fn comparable(ours: &str, rival: &str, theirs: &str) -> Option<Option<f64>> {
    let goal = ours.starts_with("voice-500").then_some(GOAL);
    if ours == theirs {
        return Some(goal);
    }
    (rival == "rtpengine" && ours.starts_with("voice-")).then_some(goal)
}

/// Ours over theirs, round by round, and the middle of that; `None` unless both carried the load and equal results.
fn ratio(ours: &CompareRow, theirs: &CompareRow) -> Option<f64> {
    if ours.refused.is_some() || theirs.refused.is_some() {
        return None;
    }
    let pairs = ours.cpu_us_rounds.iter().zip(&theirs.cpu_us_rounds);
    median(pairs.map(|(ours, theirs)| ours / theirs).collect())
}

/// The middle value; of an even number the upper of the two.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(cpu_us: f64) -> Tally {
        Tally {
            due: 1000,
            came: 1000,
            came_meanwhile: 1000,
            seconds: 1.0,
            cpu_us: Some(cpu_us),
            ..Tally::default()
        }
    }

    fn cell(system: &str, scenario: &str, tallies: &[Tally]) -> Cell {
        let taken = |tally: &Tally| Taken { tally: tally.clone(), payload: 160, note: String::new() };
        Cell {
            system: system.into(),
            version: "1".into(),
            scenario: scenario.into(),
            suite: Suite::Cm,
            receivers: 500,
            rounds: tallies.iter().map(taken).collect(),
        }
    }

    fn ratios(ours: Tally, theirs: Tally) -> BTreeMap<String, Ratio> {
        let cells = [cell("kaname", "voice-500", &[ours]), cell("janus", "voice-500", &[theirs])];
        rows(&cells).swap_remove(0).ratios
    }

    #[test]
    fn equal_results_give_a_ratio() {
        let ratios = ratios(good(2000.0), good(10_000.0));
        assert_eq!(ratios["janus/voice-500"], Ratio { ratio: 0.2, goal: Some(0.35) });
    }

    #[test]
    fn nothing_is_compared_when_either_side_did_something_else() {
        let bad: [fn(&mut Tally); 6] = [
            |t| t.unauthentic = 1,
            |t| t.unequal = 1,
            |t| t.repeated = 1,
            |t| t.came = 998,
            |t| t.late_us = 6000,
            |t| t.due = 0,
        ];
        for spoil in bad {
            let mut spoilt = good(1.0);
            spoil(&mut spoilt);
            assert!(refusal(&spoilt).is_some());
            assert!(ratios(spoilt.clone(), good(1.0)).is_empty());
            assert!(ratios(good(1.0), spoilt).is_empty());
        }
        let mut one_in_a_thousand = good(1.0);
        one_in_a_thousand.came = 999;
        assert_eq!(refusal(&one_in_a_thousand), None);
    }

    #[test]
    fn rounds_are_paired() {
        let cells = [
            cell("kaname", "voice-500", &[good(1.0), good(4.0), good(1.0)]),
            cell("janus", "voice-500", &[good(4.0), good(8.0), good(10.0)]),
        ];
        let rows = rows(&cells);
        assert_eq!(rows[0].ratios["janus/voice-500"].ratio, 0.25);
        assert_eq!(rows[1].ratios.len(), 0);
    }

    #[test]
    fn only_like_stands_beside_like() {
        assert_eq!(comparable("voice-500", "janus", "voice-500"), Some(Some(GOAL)));
        assert_eq!(comparable("voice-500", "rtpengine", "rtp-srtp-500"), Some(Some(GOAL)));
        assert_eq!(comparable("rtp-srtp-500", "rtpengine", "rtp-srtp-500"), Some(None));
        assert_eq!(comparable("video-100", "rtpengine", "rtp-srtp-500"), None);
        assert_eq!(comparable("voice-500", "janus", "voice-1000"), None);
    }
}
