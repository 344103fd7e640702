//! What came of one round.

use hdrhistogram::Histogram;

use crate::row::RowDelay;

/// Delays above this count as this: a broken call, not a slow one.
const DELAY_MAX_US: u64 = 10_000_000;

/// Counts at the sink and figures of the system, of one system in one round.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Counted packets, once for each receiver they are due at.
    pub(super) due: u64,
    /// Of those, packets that came, each once.
    pub(super) came: u64,
    /// Packets that came again.
    pub(super) repeated: u64,
    /// Packets that did not authenticate.
    pub(super) unauthentic: u64,
    /// Packets that authenticated and were not what was sent.
    pub(super) unequal: u64,
    /// Seconds that were counted.
    pub(super) seconds: f64,
    /// Packets that came in these seconds.
    pub(super) came_meanwhile: u64,
    /// CPU time of the system in these seconds.
    pub(super) cpu_us: Option<f64>,
    /// Its resident memory, everybody connected.
    pub(super) resident_bytes: Option<u64>,
    /// How late the source was: 99th percentile in microseconds.
    pub(super) late_us: u64,
    /// Of counted packets.
    pub(super) delay: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            due: 0,
            came: 0,
            repeated: 0,
            unauthentic: 0,
            unequal: 0,
            seconds: 0.0,
            came_meanwhile: 0,
            cpu_us: None,
            resident_bytes: None,
            late_us: 0,
            delay: histogram(),
        }
    }
}

impl Tally {
    /// CPU time of the system a packet that came.
    pub(super) fn cpu_us_per_packet(&self) -> Option<f64> {
        self.cpu_us.filter(|_| self.came_meanwhile > 0).map(|us| us / self.came_meanwhile as f64)
    }

    /// CPU of the system as a share of one core.
    pub(super) fn cpu_share(&self) -> Option<f64> {
        self.cpu_us.filter(|_| self.seconds > 0.0).map(|us| us / 1e6 / self.seconds)
    }

    /// Packets due that did not come.
    pub(super) fn lost(&self) -> u64 {
        self.due.saturating_sub(self.came)
    }
}

/// For times in microseconds, to a thousandth of their value.
pub(crate) fn histogram() -> Histogram<u64> {
    // The bounds are constants and known to be good.
    Histogram::new_with_bounds(1, DELAY_MAX_US, 3)
        .unwrap_or_else(|error| unreachable!("constant bounds: {error}"))
}

/// Enters a time.
pub(crate) fn enter(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.saturating_record((ns / 1000).clamp(1, DELAY_MAX_US));
}

/// The percentiles that rows show; zeros of nothing.
pub(crate) fn percentiles(histogram: &Histogram<u64>) -> RowDelay {
    if histogram.is_empty() {
        return RowDelay::default();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    RowDelay { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}
