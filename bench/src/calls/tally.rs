//! What a turn of calls came to, in numbers.

use hdrhistogram::Histogram;

use super::track::Counts;
use super::usage::Usage;
use crate::compare::tally::histogram;

/// Counts over all streams of one turn.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) calls: u32,
    pub(super) streams: u32,
    /// Sums over the streams.
    pub(super) counts: Counts,
    /// Packets sent while counting.
    pub(super) due: u64,
    /// Of those, packets that did not come.
    pub(super) lost: u64,
    /// Seconds that were counted, and packets that came in them.
    pub(super) seconds: f64,
    pub(super) came_meanwhile: u64,
    /// What the node used in these seconds.
    pub(super) usage: Option<Usage>,
    /// The longest time in which a stream brought nothing.
    pub(super) pause_ms: f64,
    /// Keys that were pressed, and keys that were heard as the one pressed.
    pub(super) keys: (u32, u32),
    /// Sources behind their time.
    pub(super) late: Histogram<u64>,
    /// Of packets that a node forwarded as they were.
    pub(super) delay: Histogram<u64>,
    /// Packets that this machine refused to send.
    pub(super) unsent: u64,
}

impl Tally {
    pub(super) fn new(calls: u32, streams: u32) -> Tally {
        Tally {
            calls,
            streams,
            counts: Counts::default(),
            due: 0,
            lost: 0,
            seconds: 0.0,
            came_meanwhile: 0,
            usage: None,
            pause_ms: 0.0,
            keys: (0, 0),
            late: histogram(),
            delay: histogram(),
            unsent: 0,
        }
    }

    /// CPU time of the node a packet that came.
    pub(super) fn cpu_us_per_packet(&self) -> Option<f64> {
        let usage = self.usage.filter(|_| self.came_meanwhile > 0);
        usage.map(|usage| usage.ran.as_secs_f64() * 1e6 / self.came_meanwhile as f64)
    }

    /// CPU of the node as a share of one core.
    pub(super) fn cpu_share(&self) -> Option<f64> {
        self.usage.filter(|_| self.seconds > 0.0).map(|usage| usage.ran.as_secs_f64() / self.seconds)
    }

    /// Time in which threads of the node waited for a processor, as a share of the counted time.
    pub(super) fn waited_share(&self) -> Option<f64> {
        self.usage.filter(|_| self.seconds > 0.0).map(|usage| usage.waited.as_secs_f64() / self.seconds)
    }

    /// How late sources were: 99th percentile in microseconds.
    pub(super) fn late_us(&self) -> u64 {
        if self.late.is_empty() { 0 } else { self.late.value_at_quantile(0.99) }
    }
}

impl Counts {
    /// With those of another stream.
    pub(super) fn plus(self, other: Counts) -> Counts {
        Counts {
            came: self.came + other.came,
            counted: self.counted + other.counted,
            copies: self.copies + other.copies,
            disordered: self.disordered + other.disordered,
            wrong_type: self.wrong_type + other.wrong_type,
            wrong_payload: self.wrong_payload + other.wrong_payload,
            unauthentic: self.unauthentic + other.unauthentic,
            restarts: self.restarts + other.restarts,
        }
    }
}
