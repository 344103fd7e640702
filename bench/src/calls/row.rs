//! The rows that a comparison of calls writes: one JSON object each.

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::outcome::{Bounds, CallDelay, Outcome, mean};
use crate::row::Ratio;

/// One system with one kind of call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallRow {
    /// `kaname` or `rtpengine`.
    pub system: String,
    /// As the system or its package names it.
    pub version: String,
    /// Such as `pcma-opus`.
    pub case: String,
    /// SRTP protection of protected sides, by its RFC's name.
    pub suite: String,
    /// Calls at once.
    pub calls: u32,
    /// Whether only callers sent.
    pub one_way: bool,
    /// Packets a second that came: median of the rounds.
    pub packets_per_second: f64,
    /// CPU time of the system a packet that came: median of the rounds.
    pub cpu_us_per_packet: Option<f64>,
    /// The same, round by round.
    pub cpu_us_rounds: Vec<f64>,
    /// CPU of the system as a share of one core: median of the rounds.
    pub cpu_share: Option<f64>,
    /// Packets that were due, over all rounds.
    pub due: u64,
    /// Of those, packets that did not come.
    pub lost: u64,
    /// Mean of the rounds; see [`Outcome::quality`].
    pub quality: f64,
    /// The same by a foreign decoder.
    pub quality_foreign: Option<f64>,
    /// A perceptual score; see [`Outcome::mos`].
    pub mos: Option<f64>,
    /// The worst of the rounds, percentile by percentile.
    pub delay_ms: CallDelay,
    /// Over all rounds.
    pub gaps: u64,
    /// Mean of the rounds.
    pub level_db: f64,
    /// Keys that were pressed, over all rounds.
    pub keys_due: u32,
    /// Keys that were heard.
    pub keys_heard: u32,
    /// Why this row may not be compared.
    pub refused: Option<String>,
    /// In rows of `kaname`: cost a packet as a share of rtpengine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
}

impl CallRow {
    /// Of the rounds of one system; everything that stands beside them is the caller's.
    pub(super) fn of(rounds: &[Outcome]) -> CallRow {
        let cpu: Vec<f64> = rounds.iter().filter_map(|round| round.cpu_us_per_packet).collect();
        let worst = |of: fn(&CallDelay) -> f64| {
            rounds.iter().map(|round| of(&round.delay_ms)).reduce(f64::max).unwrap_or(0.0)
        };
        let bounds = Bounds::default();
        CallRow {
            case: rounds.first().map_or_else(String::new, |round| round.case.clone()),
            calls: rounds.first().map_or(0, |round| round.calls),
            packets_per_second: median(rounds.iter().map(|round| round.packets_per_second).collect())
                .unwrap_or(0.0),
            cpu_us_per_packet: median(cpu.clone()),
            cpu_us_rounds: cpu,
            cpu_share: median(rounds.iter().filter_map(|round| round.cpu_share).collect()),
            due: rounds.iter().map(|round| round.due).sum(),
            lost: rounds.iter().map(|round| round.lost).sum(),
            quality: mean(rounds.iter().map(|round| round.quality)).unwrap_or(0.0),
            quality_foreign: mean(rounds.iter().filter_map(|round| round.quality_foreign)),
            delay_ms: CallDelay {
                p50: worst(|delay| delay.p50),
                p99: worst(|delay| delay.p99),
                max: worst(|delay| delay.max),
            },
            gaps: rounds.iter().map(|round| round.gaps).sum(),
            level_db: mean(rounds.iter().map(|round| round.level_db)).unwrap_or(0.0),
            keys_due: rounds.iter().map(|round| round.keys_due).sum(),
            keys_heard: rounds.iter().map(|round| round.keys_heard).sum(),
            refused: rounds.iter().find_map(|round| round.faults(&bounds).into_iter().next()),
            ..CallRow::default()
        }
    }
}

/// Puts the ratios into our rows: each against rtpengine's of the same case, round by round, and the middle of that.
pub(super) fn with_ratios(mut rows: Vec<CallRow>) -> Vec<CallRow> {
    let rivals: Vec<CallRow> = rows.iter().filter(|row| row.system == "rtpengine").cloned().collect();
    for row in rows.iter_mut().filter(|row| row.system == "kaname") {
        let Some(rival) = rivals.iter().find(|rival| rival.case == row.case) else { continue };
        if row.refused.is_some() || rival.refused.is_some() {
            continue;
        }
        let rounds = row.cpu_us_rounds.iter().zip(&rival.cpu_us_rounds);
        let ratio = median(rounds.map(|(ours, theirs)| ours / theirs).collect());
        let goal = Case::named(&row.case).ok().and_then(|case| case.goal());
        row.ratio = ratio.map(|ratio| Ratio { ratio, goal });
    }
    rows
}

/// The middle value; of an even number the mean of the two.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(system: &str, case: &str, cpu: &[f64]) -> CallRow {
        let rounds = cpu.iter().map(|cpu| Outcome {
            case: case.into(),
            calls: 10,
            due: 1000,
            quality: 1.0,
            cpu_us_per_packet: Some(*cpu),
            ..Outcome::default()
        });
        CallRow { system: system.into(), ..CallRow::of(&rounds.collect::<Vec<_>>()) }
    }

    /// Other programs read these rows: their fields are a promise.
    #[test]
    fn a_row_has_the_promised_fields() {
        let json = serde_json::to_value(row("kaname", "pcma-opus", &[1.0, 2.0])).unwrap();
        for field in
            ["system", "case", "calls", "packets_per_second", "cpu_us_per_packet", "lost", "quality", "mos"]
        {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(json["cpu_us_per_packet"], 1.5);
        assert_eq!(json["refused"], serde_json::Value::Null);
    }

    #[test]
    fn ratios_are_of_rounds_side_by_side_and_have_the_cases_goal() {
        let rows = with_ratios(vec![
            row("kaname", "pcma-opus", &[10.0, 20.0]),
            row("rtpengine", "pcma-opus", &[100.0, 100.0]),
            row("kaname", "dtls", &[1.0]),
        ]);
        assert_eq!(rows[0].ratio, Some(Ratio { ratio: 0.15000000000000002, goal: Some(0.25) }));
        assert_eq!((rows[1].ratio, rows[2].ratio), (None, None));
    }

    #[test]
    fn who_failed_is_not_compared() {
        let mut bad = row("rtpengine", "pcma-opus", &[1.0]);
        bad.refused = Some("9 packets came twice".into());
        let rows = with_ratios(vec![row("kaname", "pcma-opus", &[10.0]), bad]);
        assert_eq!(rows[0].ratio, None);
    }
}
