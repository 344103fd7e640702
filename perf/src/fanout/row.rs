//! Rows: for people, for machines, and for the record.

use serde_json::{Value, json};

use super::plan::label;
use super::turns::{Name, Outcome};
use crate::room::Shape;
use crate::timing::median;

/// One cell of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Who.
    pub name: Name,
    /// What was sent.
    pub shape: Shape,
    /// Nanoseconds a packet, round by round.
    pub rounds: Vec<f64>,
    /// Packets that did not arrive.
    pub lost: u64,
    /// Packets that were sent.
    pub sent: u64,
    /// Allocations a packet while it was timed.
    pub allocations: u64,
}

impl Row {
    /// What came of a contestant.
    pub fn new(outcome: Outcome) -> Row {
        let Outcome { name, shape, ns, lost, sent, allocations } = outcome;
        Row { name, shape, rounds: ns, lost, sent, allocations }
    }

    /// The median of the rounds.
    pub fn ns(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The best round: interference only ever adds.
    pub fn best(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Packets a second that one core sends.
    pub fn packets_per_second(&self) -> f64 {
        1e9 / self.ns()
    }

    /// Their bits, headers below RTP not counted.
    pub fn gigabits(&self) -> f64 {
        self.packets_per_second() * self.shape.payload as f64 * 8.0 / 1e9
    }

    /// One object a row.
    pub fn json(&self) -> Value {
        let Name { path, io, suite, shards, offload } = self.name;
        let Shape { payload, frame, sizes, destinations } = self.shape;
        json!({
            "path": path, "io": io, "suite": suite, "payload": payload, "frame": frame, "sizes": sizes.name(),
            "destinations": destinations, "shards": shards, "offload": offload,
            "ns_per_packet": round(self.ns()), "ns_best": round(self.best()), "packets_per_second_core": self.packets_per_second().round(),
            "gigabits_per_second_core": round(self.gigabits()),
            "sent": self.sent, "lost": self.lost, "allocations": self.allocations,
        })
    }

    /// A line for people.
    pub fn line(&self) -> String {
        format!(
            "{:<84} {:>8.0} {:>8.0} {:>8.3} {:>7.2} {:>6}",
            label(&self.name, &self.shape),
            self.ns(),
            self.best(),
            self.packets_per_second() / 1e6,
            self.gigabits(),
            self.lost
        )
    }
}

/// What stands above the lines.
pub fn heading() -> String {
    format!(
        "{:<84} {:>8} {:>8} {:>8} {:>7} {:>6}",
        "ns a packet, of one core", "ns", "best", "Mpkt/s", "Gbit/s", "lost"
    )
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
