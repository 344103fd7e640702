//! Counts of calls, for the metrics and for `statistics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Counts since the start, and what is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallsCounters {
    /// Calls now.
    pub calls: u64,
    /// Calls now that are on hold or not answered.
    pub calls_waiting: u64,
    /// Directions of calls now that are transcoded.
    pub transcoded: u64,
    /// Media ports now: open, and resting.
    pub ports: u64,
    /// Media ports that rest.
    pub ports_resting: u64,
    /// New calls.
    pub calls_total: u64,
    /// Calls that ended, by reason.
    pub ended_total: BTreeMap<&'static str, u64>,
    /// Seconds that the calls which ended lasted, all together.
    pub seconds_total: u64,
    /// Requests, by command.
    pub requests_total: BTreeMap<&'static str, u64>,
    /// Requests that were refused, by reason.
    pub refused_total: BTreeMap<&'static str, u64>,
    /// Requests that came again and were answered as before.
    pub repeated_total: u64,
    /// Records of calls that could not be written.
    pub records_lost_total: u64,
    /// Connections now over which sound is forwarded.
    pub forwarded: u64,
    /// Such connections that broke or could not be made.
    pub forward_failures_total: u64,
    /// Milliseconds of sound that the receiver was not sent.
    pub forward_lost_ms_total: u64,
    /// Packets that the calls which ended received.
    pub packets_total: u64,
    /// What the doors counted.
    pub doors: Vec<(&'static str, u64)>,
    /// Commands that a shard or worker refused, by reason.
    pub commands_failed_total: BTreeMap<&'static str, u64>,
    /// Whether new calls are refused because the node is to be emptied.
    pub draining: bool,
}

impl CallsCounters {
    /// In Prometheus' text format.
    pub fn render(&self) -> String {
        let mut page = String::with_capacity(4_096);
        for (name, help, value) in [
            ("calls", "Telephone calls now.", self.calls),
            ("calls_waiting", "Calls now that are on hold or not answered.", self.calls_waiting),
            ("calls_transcoded", "Directions of calls now that are transcoded.", self.transcoded),
            ("calls_forwarded", "Connections now over which sound is forwarded.", self.forwarded),
            ("call_ports", "Media ports of calls now.", self.ports),
            ("call_ports_resting", "Media ports that rest between calls.", self.ports_resting),
            ("calls_draining", "Whether new calls are refused.", self.draining.into()),
        ] {
            single(&mut page, name, "gauge", help, value);
        }
        for (name, help, value) in [
            ("calls_started_total", "Calls begun.", self.calls_total),
            ("calls_seconds_total", "Seconds that ended calls lasted.", self.seconds_total),
            (
                "calls_records_lost_total",
                "Records of calls that could not be written.",
                self.records_lost_total,
            ),
            (
                "calls_forward_failures_total",
                "Connections for forwarded sound that broke or could not be made.",
                self.forward_failures_total,
            ),
            (
                "calls_forward_lost_ms_total",
                "Milliseconds of forwarded sound that the receiver was not sent.",
                self.forward_lost_ms_total,
            ),
            ("calls_packets_total", "Media packets that ended calls received.", self.packets_total),
            (
                "ng_repeated_total",
                "Requests that came again and were answered as before.",
                self.repeated_total,
            ),
        ] {
            single(&mut page, name, "counter", help, value);
        }
        labelled(
            &mut page,
            "calls_ended_total",
            "Calls ended, by reason.",
            "reason",
            self.ended_total.iter(),
        );
        labelled(
            &mut page,
            "ng_requests_total",
            "Requests, by command.",
            "command",
            self.requests_total.iter(),
        );
        labelled(
            &mut page,
            "ng_refused_total",
            "Requests refused, by reason.",
            "reason",
            self.refused_total.iter(),
        );
        let failed = self.commands_failed_total.iter();
        labelled(
            &mut page,
            "calls_commands_failed_total",
            "Commands that the engine refused.",
            "reason",
            failed,
        );
        let doors = self.doors.iter().map(|(name, value)| (name, value));
        labelled(
            &mut page,
            "ng_door_total",
            "Messages at the doors, by what became of them.",
            "outcome",
            doors,
        );
        page
    }
}

fn single(page: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "# HELP kaname_{name} {help}\n# TYPE kaname_{name} {kind}\nkaname_{name} {value}");
}

fn labelled<'a>(
    page: &mut String,
    name: &str,
    help: &str,
    label: &str,
    values: impl Iterator<Item = (&'a &'static str, &'a u64)>,
) {
    let _ = writeln!(page, "# HELP kaname_{name} {help}\n# TYPE kaname_{name} counter");
    for (word, value) in values {
        let _ = writeln!(page, "kaname_{name}{{{label}=\"{word}\"}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let counters = CallsCounters {
            calls: 3,
            ended_total: BTreeMap::from([("deleted", 4)]),
            doors: vec![("received", 5)],
            ..CallsCounters::default()
        };
        let text = counters.render();
        assert!(text.contains("\nkaname_calls 3\n"));
        assert!(text.contains("\nkaname_calls_ended_total{reason=\"deleted\"} 4\n"));
        assert!(text.contains("\nkaname_ng_door_total{outcome=\"received\"} 5\n"));
        for line in text.lines() {
            let sample = line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<u64>().is_ok());
            assert!(line.starts_with("# ") || sample, "{line}");
        }
    }
}
