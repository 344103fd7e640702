//! The comparison for people.

use std::fmt::Write as _;

use crate::row::CompareRow;

/// The table, the ratios with their goals, and what may not be compared.
pub(super) fn text(rows: &[CompareRow]) -> String {
    let mut text = format!(
        "{:<13} {:<23} {:<10} {:>8} {:>8} {:>6} {:>7} {:>7} {:>7} {:>7}\n",
        "scenario", "suite", "system", "pkt/s", "us/pkt", "core", "p50 us", "p99", "p99.9", "lost"
    );
    for row in rows {
        let cpu = row.cpu_us_per_packet.map_or("-".into(), |us| format!("{us:.2}"));
        let share = row.cpu_share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0));
        let _ = writeln!(
            text,
            "{:<13} {:<23} {:<10} {:>8.0} {cpu:>8} {share:>6} {:>7} {:>7} {:>7} {:>7}",
            row.scenario,
            row.suite,
            row.system,
            row.packets_per_second,
            row.delay_us.p50,
            row.delay_us.p99,
            row.delay_us.p999,
            row.lost
        );
    }
    text.push('\n');
    for row in rows {
        for (rival, ratio) in &row.ratios {
            let goal = match (ratio.goal, ratio.reached()) {
                (Some(goal), Some(true)) => format!(" (goal: at most {goal} x, reached)"),
                (Some(goal), _) => format!(" (goal: at most {goal} x, MISSED)"),
                (None, _) => String::new(),
            };
            let _ = writeln!(
                text,
                "{} {} {} costs {:.2} x of {rival}{goal}",
                row.system, row.scenario, row.suite, ratio.ratio
            );
        }
        if let Some(why) = &row.refused {
            let _ = writeln!(text, "{} {} {} is not compared: {why}", row.system, row.scenario, row.suite);
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
        let mut row =
            CompareRow { system: "kaname".into(), scenario: "voice-500".into(), ..CompareRow::default() };
        row.ratios.insert("janus/voice-500".into(), Ratio { ratio: 0.5, goal: Some(0.35) });
        row.ratios.insert("rtpengine/rtp-srtp-500".into(), Ratio { ratio: 0.3, goal: Some(0.35) });
        let refused = CompareRow {
            system: "janus".into(),
            refused: Some("9 of 10 packets were lost".into()),
            ..CompareRow::default()
        };
        let text = text(&[row, refused]);
        assert!(text.contains("0.50 x of janus/voice-500 (goal: at most 0.35 x, MISSED)"), "{text}");
        assert!(text.contains("0.30 x of rtpengine/rtp-srtp-500 (goal: at most 0.35 x, reached)"), "{text}");
        assert!(text.contains("is not compared: 9 of 10 packets were lost"), "{text}");
    }
}
