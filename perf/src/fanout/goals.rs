//! The goals, each beside its figure. Ratios are taken round by round between neighbours, and the median counts.

use std::fmt;

use serde_json::{Value, json};

use super::burst::Burst;
use super::row::Row;
use crate::case::{Case, SUITES};
use crate::limit::Limit;
use crate::room::{Shape, Sizes};
use crate::timing::median;

/// What is asked of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

impl Wish {
    fn holds(self, figure: f64) -> bool {
        match self {
            Wish::AtMost(most) => figure <= most,
            Wish::AtLeast(least) => figure >= least,
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wish::AtMost(most) => write!(f, "at most {most}"),
            Wish::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

/// One goal with its figure.
#[derive(Clone, Debug)]
pub struct Goal {
    /// What is compared.
    pub what: String,
    /// What is asked for.
    pub wish: Wish,
    /// What was measured; `None`: not in this run.
    pub figure: Option<f64>,
}

impl Goal {
    /// One object a goal.
    pub fn json(&self) -> Value {
        let reached = self.figure.map(|figure| self.wish.holds(figure));
        let figure = self.figure.map(|figure| (figure * 1000.0).round() / 1000.0);
        json!({ "goal": self.what, "wish": self.wish.to_string(), "figure": figure, "reached": reached })
    }

    /// A line for people.
    pub fn line(&self) -> String {
        let (figure, verdict) = match self.figure {
            Some(figure) if self.wish.holds(figure) => (format!("{figure:.2}"), "reached"),
            Some(figure) => (format!("{figure:.2}"), "missed"),
            None => ("-".to_owned(), "not measured in this run"),
        };
        format!("{:<92} {:>13} {:>8} {verdict}", self.what, self.wish.to_string(), figure)
    }
}

/// What stands above the lines.
pub fn heading() -> String {
    format!("{:<92} {:>13} {:>8}", "goals (ratios within this run)", "goal", "figure")
}

/// The rows of a run, to be asked for.
struct Rows<'a>(&'a [Row]);

impl Rows<'_> {
    /// Nanoseconds a packet, round by round.
    fn rounds(&self, path: &str, io: &str, suite: &str, shape: &Shape, shards: usize) -> Option<&[f64]> {
        let is = |row: &&Row| {
            let name = &row.name;
            (name.path, name.io, name.suite, name.shards) == (path, io, suite, shards)
                && name.offload
                && row.shape == *shape
        };
        self.0.iter().find(is).map(|row| row.rounds.as_slice())
    }

    fn node(&self, io: &str, suite: &str, shape: &Shape) -> Option<&[f64]> {
        self.rounds("node", io, suite, shape, 1)
    }
}

/// The median over the rounds of `left / right`.
fn ratio(left: Option<&[f64]>, right: Option<&[f64]>) -> Option<f64> {
    let (left, right) = left.zip(right)?;
    Some(median(left.iter().zip(right).map(|(left, right)| left / right).collect()))
}

/// All goals that this program measures.
pub fn all(rows: &[Row], limit: Option<&Limit>, burst: Option<&Burst>) -> Vec<Goal> {
    let rows = Rows(rows);
    let video = Shape::even(1200, 7, 500);
    let real = Shape { sizes: Sizes::LibWebRtc, ..video };
    let voice = Shape::even(172, 1, 500);
    let [cm, gcm, gcm_256] = SUITES.map(|(_, name)| name);
    let mut goals = Vec::new();
    let mut goal = |what: String, wish, figure| goals.push(Goal { what, wish, figure });

    goal(
        format!("1200 B, frames of 7, {gcm}, to 500: gso / (raw gso + SRTP limit)"),
        Wish::AtMost(1.15),
        over_ceiling(&rows, limit, &video),
    );
    for (shape, least) in [(&video, 4.0), (&real, 2.4)] {
        let sizes = shape.sizes.name();
        goal(
            format!("the same, {sizes} sizes: sendto / gso"),
            Wish::AtLeast(least),
            ratio(rows.node("sendto", gcm, shape), rows.node("gso", gcm, shape)),
        );
    }
    for suite in [cm, gcm, gcm_256] {
        for (io, least) in [("gso", 1.25), ("af_xdp", 4.0)] {
            let figure = ratio(rows.node("sendto", suite, &voice), rows.node(io, suite, &voice));
            goal(format!("voice 172 B, {suite}, to 500: sendto / {io}"), Wish::AtLeast(least), figure);
        }
    }
    let burst_of_seven = Shape::even(1200, 7, 1);
    let receive = |io| rows.rounds("raw", io, "none", &burst_of_seven, 1);
    goal(
        "receive 1200 B, 7 together: recvfrom / gro".into(),
        Wish::AtLeast(4.0),
        ratio(receive("recvfrom"), receive("gro")),
    );
    for (name, shape, io) in
        [("1200 B x 7", &video, "gso"), ("172 B", &voice, "gso"), ("172 B", &voice, "af_xdp")]
    {
        let speed_up =
            ratio(rows.node(io, gcm, shape), rows.rounds("node", io, gcm, shape, 2)).map(|one| 2.0 * one);
        goal(
            format!("two shards / one, {name}, {io}, {gcm}: packets a second"),
            Wish::AtLeast(1.8),
            speed_up,
        );
        let (many, few) = (Shape { destinations: 1000, ..*shape }, Shape { destinations: 100, ..*shape });
        let growth = ratio(rows.node(io, gcm, &many), rows.node(io, gcm, &few));
        goal(
            format!("1000 subscribers / 100, {name}, {io}, {gcm}: cost a packet"),
            Wish::AtMost(1.2),
            growth,
        );
    }
    goal(
        "30 publishers' 100-packet key frames into one shard at once: copies lost".into(),
        Wish::AtMost(0.0),
        burst.map(|burst| burst.lost as f64),
    );
    goal(
        "allocations a forwarded packet, all node rows of one shard".into(),
        Wish::AtMost(0.0),
        allocations(&rows),
    );
    goals
}

fn over_ceiling(rows: &Rows<'_>, limit: Option<&Limit>, shape: &Shape) -> Option<f64> {
    let (profile, suite) = SUITES[1];
    let header = kaname_wire::rtp::FIXED_HEADER_LEN;
    let limit = limit?.packet_ns(&Case::new(profile, header, shape.payload - header, 1));
    let ceiling = rows.rounds("raw", "gso", "none", shape, 1)?;
    let ceiling: Vec<f64> = ceiling.iter().map(|ns| ns + limit).collect();
    ratio(rows.node("gso", suite, shape), Some(&ceiling))
}

fn allocations(rows: &Rows<'_>) -> Option<f64> {
    // Two threads count into one number, the untimed parts of each other too.
    let alone = rows.0.iter().filter(|row| row.name.path == "node" && row.name.shards == 1);
    let counted: Vec<(u64, u64)> = alone.map(|row| (row.allocations, row.sent)).collect();
    let sent: u64 = counted.iter().map(|(_, sent)| sent).sum();
    let allocations: u64 = counted.iter().map(|(allocations, _)| allocations).sum();
    (sent > 0).then(|| allocations as f64 / sent as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_round() {
        let (left, right) = ([10.0, 40.0, 30.0], [5.0, 10.0, 30.0]);
        assert_eq!(ratio(Some(&left), Some(&right)), Some(2.0));
        assert_eq!(ratio(Some(&left), None), None);
    }

    #[test]
    fn a_goal_says_whether_it_is_reached() {
        let line = |wish, figure| Goal { what: "x".into(), wish, figure }.line();
        assert!(line(Wish::AtMost(1.15), Some(1.15)).ends_with("reached"));
        assert!(line(Wish::AtLeast(4.0), Some(3.99)).ends_with("missed"));
        assert!(line(Wish::AtLeast(4.0), None).ends_with("run"));
    }
}
