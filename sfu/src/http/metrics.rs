//! Prometheus' text exposition format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::state::Facts;
use crate::node::NodeCounters;

/// How figures of threads of one kind are named.
struct Threads {
    /// How the node names a thread's count of drops for one reason, and the same as a metric.
    dropped: &'static str,
    dropped_name: &'static str,
    dropped_help: &'static str,
    /// What stands before the other names, and what they are of.
    prefix: &'static str,
    help: &'static str,
    label: &'static str,
}

const SHARDS: Threads = Threads {
    dropped: "packets_dropped_",
    dropped_name: "kaname_packets_dropped_total",
    dropped_help: "Packets that went no further, by reason.",
    prefix: "kaname_",
    help: "A figure of each packet thread.",
    label: "shard",
};

const AUDIO: Threads = Threads {
    dropped: "dropped_",
    dropped_name: "kaname_audio_dropped_total",
    dropped_help: "Packets and stretches of sound that audio workers dropped, by reason.",
    prefix: "kaname_audio_",
    help: "A figure of each audio worker.",
    label: "worker",
};

/// All counts as text.
pub(super) fn render(counters: &NodeCounters, facts: &Facts) -> String {
    let mut page = Page(String::with_capacity(4096));
    page.info(facts);
    page.single("kaname_rooms", "gauge", "Rooms now.", counters.rooms);
    page.single("kaname_peers", "gauge", "Peers now.", counters.peers);
    page.single(
        "kaname_peers_connected",
        "gauge",
        "Peers whose handshake is complete, now.",
        counters.connected,
    );
    page.single("kaname_tracks", "gauge", "Published tracks now.", counters.tracks);
    page.single("kaname_subscriptions", "gauge", "Subscriptions now.", counters.subscriptions);
    page.single(
        "kaname_track_spans",
        "gauge",
        "Ways of tracks to other shards than their publisher's, now: each packet crosses once for each.",
        counters.spans,
    );
    page.single("kaname_joins_total", "counter", "Joins.", counters.joins_total);
    page.single("kaname_answers_total", "counter", "Answers given.", counters.answers_total);
    page.labelled(
        "kaname_requests_refused_total",
        "Requests refused, by code of the error.",
        "code",
        &counters.refused_total,
    );
    page.labelled("kaname_peers_left_total", "Peers gone, by reason.", "reason", &counters.left_total);
    page.single(
        "kaname_data_messages_relayed_total",
        "counter",
        "Data messages relayed, counted once each receiver.",
        counters.data_relayed_total,
    );
    page.single(
        "kaname_data_messages_refused_total",
        "counter",
        "Data messages refused.",
        counters.data_refused_total,
    );
    page.single(
        "kaname_slow_readers_total",
        "counter",
        "Readers of notices that were cut off.",
        counters.slow_readers_total,
    );
    page.labelled(
        "kaname_commands_failed_total",
        "Commands that a shard refused, by reason.",
        "reason",
        &counters.commands_failed_total,
    );
    page.single(
        "kaname_events_dropped_total",
        "counter",
        "Events of the engine that were dropped.",
        counters.events_dropped_total,
    );
    page.labelled(
        "kaname_room_pins_total",
        "PINs of rooms that telephones typed, by what became of them.",
        "outcome",
        &counters.pins_total,
    );
    page.threads(&SHARDS, &counters.shards);
    page.threads(&AUDIO, &counters.audio);
    page.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn labelled(&mut self, name: &str, help: &str, label: &str, values: &BTreeMap<&'static str, u64>) {
        self.head(name, "counter", help);
        for (word, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{}\"}} {value}", escape(word));
        }
    }

    fn info(&mut self, facts: &Facts) {
        self.head("kaname_info", "gauge", "What the node is; always 1.");
        let _ = writeln!(
            self.0,
            "kaname_info{{version=\"{}\",srtp_backend=\"{}\",io_backend=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION"),
            escape(facts.srtp_backend),
            escape(facts.io_backend)
        );
    }

    /// Each thread names its counts itself. Samples of one name stand together, drops under one name with their reason.
    fn threads(&mut self, of: &Threads, all: &[BTreeMap<String, u64>]) {
        let label = of.label;
        let mut families: BTreeMap<&str, Vec<(usize, u64)>> = BTreeMap::new();
        for (thread, counts) in all.iter().enumerate() {
            for (name, value) in counts {
                families.entry(name).or_default().push((thread, *value));
            }
        }
        self.head(of.dropped_name, "counter", of.dropped_help);
        for (reason, samples) in
            families.iter().filter_map(|(name, samples)| Some((name.strip_prefix(of.dropped)?, samples)))
        {
            for (thread, value) in samples {
                let (name, reason) = (of.dropped_name, escape(reason));
                let _ = writeln!(self.0, "{name}{{{label}=\"{thread}\",reason=\"{reason}\"}} {value}");
            }
        }
        let others = families.iter().filter(|(name, _)| !name.starts_with(of.dropped) && is_name(name));
        for (name, samples) in others {
            let name = format!("{}{name}", of.prefix);
            self.head(&name, "untyped", of.help);
            for (thread, value) in samples {
                let _ = writeln!(self.0, "{name}{{{label}=\"{thread}\"}} {value}");
            }
        }
    }
}

/// What may stand in a metric's name.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let counters = NodeCounters {
            rooms: 2,
            refused_total: BTreeMap::from([("bad_sdp", 3)]),
            shards: vec![
                BTreeMap::from([
                    ("io_packets_sent".to_owned(), 7),
                    ("packets_dropped_bad \"tag\"".to_owned(), 8),
                    ("not a name".to_owned(), 9),
                ]),
                BTreeMap::from([("io_packets_sent".to_owned(), 5)]),
            ],
            pins_total: BTreeMap::from([("wrong", 4)]),
            audio: vec![
                BTreeMap::from([("ticks_late".to_owned(), 11), ("dropped_no_room".to_owned(), 12)]),
                BTreeMap::from([("ticks_late".to_owned(), 0)]),
            ],
            ..NodeCounters::default()
        };
        let text =
            render(&counters, &Facts { development: true, srtp_backend: "vaes512", io_backend: "mmsg" });
        assert!(text.contains("\nkaname_rooms 2\n"));
        assert!(text.contains("\nkaname_requests_refused_total{code=\"bad_sdp\"} 3\n"));
        assert!(
            text.contains("\nkaname_io_packets_sent{shard=\"0\"} 7\nkaname_io_packets_sent{shard=\"1\"} 5\n")
        );
        assert!(text.contains("\nkaname_packets_dropped_total{shard=\"0\",reason=\"bad \\\"tag\\\"\"} 8\n"));
        assert!(!text.contains("not a name"));
        assert!(text.contains("\nkaname_room_pins_total{outcome=\"wrong\"} 4\n"));
        assert!(text.contains(
            "\nkaname_audio_ticks_late{worker=\"0\"} 11\nkaname_audio_ticks_late{worker=\"1\"} 0\n"
        ));
        assert!(text.contains("\nkaname_audio_dropped_total{worker=\"0\",reason=\"no_room\"} 12\n"));
        for line in text.lines() {
            let sample = line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<u64>().is_ok());
            assert!(line.starts_with("# ") || sample, "{line}");
        }
    }
}
