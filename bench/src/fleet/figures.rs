//! What the wheel counts besides the tallies of streams.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use kaname_srtp::Profile;

use super::outcome::Delay;

/// Delays above this count as this: ten seconds is a broken call, not a slow one.
const DELAY_MAX_US: u64 = 10_000_000;

/// Figures over all clients of a wheel.
pub(super) struct Figures {
    /// What the last handshake agreed on.
    pub(super) profile: Option<Profile>,
    /// Packets handed to the kernel.
    pub(super) sent: u64,
    /// Of those, packets that it did not take.
    pub(super) unsent: u64,
    /// Repairs sent to the node.
    pub(super) repairs_sent: u64,
    /// Packets of media that came, and their bytes.
    pub(super) received: u64,
    /// See `received`.
    pub(super) bytes: u64,
    /// Datagrams that the kernel dropped at our sockets.
    pub(super) socket_drops: u64,
    /// Packets that the scenario's bad network lost.
    pub(super) impaired: u64,
    /// Datagrams for no client.
    pub(super) strangers: u64,
    /// Packets that failed authentication, or carried no stamp of this run.
    pub(super) foreign: u64,
    /// Packets that came again under the same SRTP index.
    pub(super) replayed: u64,
    /// Key frames that the node asked for.
    pub(super) key_frames: u64,
    delay_us: Histogram<u64>,
    second_us: Histogram<u64>,
    late_us: Histogram<u64>,
}

fn histogram() -> Histogram<u64> {
    // Three digits hold a percentile to a thousandth of its value. The bounds are constants and known to be good.
    Histogram::new_with_bounds(1, DELAY_MAX_US, 3)
        .unwrap_or_else(|error| unreachable!("constant bounds: {error}"))
}

impl Figures {
    pub(super) fn new() -> Figures {
        Figures {
            profile: None,
            sent: 0,
            unsent: 0,
            repairs_sent: 0,
            received: 0,
            bytes: 0,
            socket_drops: 0,
            impaired: 0,
            strangers: 0,
            foreign: 0,
            replayed: 0,
            key_frames: 0,
            delay_us: histogram(),
            second_us: histogram(),
            late_us: histogram(),
        }
    }

    /// A packet that counts took so long.
    pub(super) fn delay(&mut self, ns: u64) {
        let us = (ns / 1000).clamp(1, DELAY_MAX_US);
        self.delay_us.saturating_record(us);
        self.second_us.saturating_record(us);
    }

    /// A burst was sent so long after it was due.
    pub(super) fn late(&mut self, ns: u64) {
        self.late_us.saturating_record((ns / 1000).clamp(1, DELAY_MAX_US));
    }

    /// From here on, delays and lateness are those of the measurement.
    pub(super) fn begin(&mut self) {
        self.delay_us.reset();
        self.second_us.reset();
        self.late_us.reset();
    }

    /// Delay in the second that ends: median, 99th percentile, longest; zeros if nothing came.
    pub(super) fn take_second(&mut self) -> (u64, u64, u64) {
        let second = &self.second_us;
        let figures = if second.is_empty() {
            (0, 0, 0)
        } else {
            (second.value_at_quantile(0.5), second.value_at_quantile(0.99), second.max())
        };
        self.second_us.reset();
        figures
    }

    /// 99th percentile and the longest.
    pub(super) fn lateness(&self) -> (u64, u64) {
        if self.late_us.is_empty() {
            (0, 0)
        } else {
            (self.late_us.value_at_quantile(0.99), self.late_us.max())
        }
    }

    /// Delay since [`Figures::begin`]; jitter is the caller's.
    pub(super) fn delays(&self) -> Delay {
        let delay = &self.delay_us;
        if delay.is_empty() {
            return Delay::default();
        }
        Delay {
            p50: delay.value_at_quantile(0.5),
            p99: delay.value_at_quantile(0.99),
            p999: delay.value_at_quantile(0.999),
            max: delay.max(),
            jitter: 0,
            histogram: buckets(delay),
        }
    }
}

/// Buckets of about a tenth of their value each, which a plot can show.
fn buckets(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for value in histogram.iter_recorded() {
        let us = value.value_iterated_to();
        let magnitude = 10u64.pow(us.ilog10().saturating_sub(1));
        *counts.entry(us.div_ceil(magnitude) * magnitude).or_default() += value.count_at_value();
    }
    let mut buckets: Vec<(u64, u64)> = counts.into_iter().collect();
    buckets.sort_unstable();
    buckets
}
