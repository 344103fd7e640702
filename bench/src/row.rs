//! The rows that comparisons write: one JSON object each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Forwarding delay in microseconds: from just before the publisher's `send` to the kernel's stamp of arrival at the
/// receiving socket, by one host's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDelay {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
}

/// One system in one scenario with one suite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompareRow {
    /// `kaname`, `janus` or `rtpengine`.
    pub system: String,
    /// As the system or its package names it.
    pub version: String,
    /// Such as `voice-500`.
    pub scenario: String,
    /// SRTP protection of what the system sends, by its RFC's name.
    pub suite: String,
    /// Mean RTP payload in bytes.
    pub payload: u32,
    /// Receivers.
    pub subscribers: u32,
    /// Packets a second that came, over all receivers.
    pub packets_per_second: f64,
    /// CPU time of the system a packet that came: median of the rounds. `None` if the kernel did not say.
    pub cpu_us_per_packet: Option<f64>,
    /// The same, round by round.
    pub cpu_us_rounds: Vec<f64>,
    /// CPU the system used, as a share of one core: median of the rounds.
    pub cpu_share: Option<f64>,
    /// Packets due at receivers over all rounds.
    pub due: u64,
    /// Packets due that did not come, over all rounds.
    pub lost: u64,
    /// Delay over all rounds.
    pub delay_us: RowDelay,
    /// Resident memory of the system with everybody connected, in bytes: the most of the rounds.
    pub resident_bytes: Option<u64>,
    /// Whether every packet that came was authenticated, decrypted and equal to what was sent, and loss stayed in its
    /// bound; else why this row may not be compared.
    pub refused: Option<String>,
    /// What a reader has to know: how the scenario was carried out where a system has no exact equivalent.
    pub note: String,
    /// In rows of `kaname`: cost a packet as a share of each rival's, by `rival/scenario`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ratios: BTreeMap<String, Ratio>,
}

/// Our cost a packet as a share of a rival's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Median of the rounds' ratios: 0.35 is 0.35 times the rival's cost.
    pub ratio: f64,
    /// What it should be at most; `None` where no goal is set.
    pub goal: Option<f64>,
}

impl Ratio {
    /// Whether the goal is reached; `None` without one.
    pub fn reached(&self) -> Option<bool> {
        self.goal.map(|goal| self.ratio <= goal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other programs read these rows: their fields are a promise.
    #[test]
    fn a_row_has_the_promised_fields() {
        let mut row =
            CompareRow { system: "kaname".into(), cpu_us_per_packet: Some(1.5), ..CompareRow::default() };
        row.ratios.insert("janus/voice-500".into(), Ratio { ratio: 0.2, goal: Some(0.35) });
        let json = serde_json::to_value(&row).unwrap();
        for field in [
            "system",
            "version",
            "scenario",
            "suite",
            "payload",
            "subscribers",
            "packets_per_second",
            "cpu_us_per_packet",
            "lost",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        for percentile in ["p50", "p99", "p999"] {
            assert!(json["delay_us"][percentile].is_u64(), "{percentile}");
        }
        assert_eq!(json["ratios"]["janus/voice-500"]["ratio"], 0.2);
        assert_eq!(serde_json::from_value::<CompareRow>(json).unwrap(), row);
    }

    #[test]
    fn a_goal_is_reached_at_its_bound() {
        assert_eq!(Ratio { ratio: 0.35, goal: Some(0.35) }.reached(), Some(true));
        assert_eq!(Ratio { ratio: 0.36, goal: Some(0.35) }.reached(), Some(false));
        assert_eq!(Ratio { ratio: 9.0, goal: None }.reached(), None);
    }
}
