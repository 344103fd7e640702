//! What calls came to, and whether that is good.

use serde::{Deserialize, Serialize};

use super::case::{Case, Sound};
use super::judge::Verdict;
use super::limits::LATE_US;
use super::tally::Tally;
use crate::compare::tally::percentiles;

/// Share of a core from which on threads of one node wait for each other.
const BUSY: f64 = 0.7;
/// Waiting, as a share of the time, that nobody but others explains.
const WAITED: f64 = 0.25;

/// From the sending of sound to its arrival at the far end, in milliseconds: forwarding, jitter buffers and the codecs'
/// look-ahead together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallDelay {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What a run of calls came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Such as `pcma-opus`.
    pub case: String,
    /// Calls.
    pub calls: u32,
    /// Directions in which media flowed.
    pub streams: u32,
    /// Seconds that were counted.
    pub seconds: f64,
    /// Packets a second that came.
    pub packets_per_second: f64,
    /// CPU time of the node a packet that came; `None` if its process is not known.
    pub cpu_us_per_packet: Option<f64>,
    /// CPU of the node as a share of one core.
    pub cpu_share: Option<f64>,
    /// Time in which threads of the node were ready and something else had their processor, as a share of the time.
    pub waited_share: Option<f64>,
    /// Packets that were due.
    pub due: u64,
    /// Packets due that did not come.
    pub lost: u64,
    /// Packets that came twice.
    pub copies: u64,
    /// Packets that came out of order.
    pub disordered: u64,
    /// Packets of a payload type that was not agreed.
    pub wrong_type: u64,
    /// Packets that the codec does not have, or whose bytes are not those that were sent.
    pub wrong_payload: u64,
    /// Packets that did not authenticate.
    pub unauthentic: u64,
    /// Changes of a stream's source identifier.
    pub restarts: u64,
    /// The longest time in which a stream brought nothing.
    pub pause_ms: f64,
    /// Streams that were listened to.
    pub judged: u32,
    /// Likeness of what was heard with what was sent, 0 to 1; where the node forwards, the share of packets that came
    /// equal to the byte.
    pub quality: f64,
    /// That of the worst stream.
    pub quality_least: f64,
    /// The mean by a foreign decoder, of the streams that one heard; `None` without one.
    pub quality_foreign: Option<f64>,
    /// A perceptual score. Always `None`: there is no free library for one (PESQ and POLQA are licensed).
    pub mos: Option<f64>,
    /// Frames of 20 ms in which sound was sent and nothing heard.
    pub gaps: u64,
    /// Loudness against what was sent.
    pub level_db: f64,
    /// Delay.
    pub delay_ms: CallDelay,
    /// Keys that were pressed.
    pub keys_due: u32,
    /// Keys that the far end heard as the one that was pressed.
    pub keys_heard: u32,
    /// How late the generator was: 99th percentile in microseconds.
    pub late_us: u64,
}

/// What was heard in one window, of all streams that were listened to.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// Seconds since media began.
    pub(super) at_s: f64,
    pub(super) verdicts: Vec<Verdict>,
}

impl Window {
    pub(super) fn quality(&self) -> f64 {
        mean(self.verdicts.iter().map(|verdict| verdict.quality)).unwrap_or(0.0)
    }

    pub(super) fn gaps(&self) -> u64 {
        self.verdicts.iter().map(|verdict| verdict.gaps + verdict.undecodable).sum()
    }

    pub(super) fn delay(&self) -> CallDelay {
        delay_of(self.verdicts.iter().flat_map(|verdict| verdict.delays_ms.iter().copied()).collect())
    }
}

impl Outcome {
    /// From counts and from what was heard.
    pub(super) fn new(case: &Case, tally: &Tally, windows: &[Window]) -> Outcome {
        let counts = tally.counts;
        let mut outcome = Outcome {
            case: case.name.into(),
            calls: tally.calls,
            streams: tally.streams,
            seconds: tally.seconds,
            packets_per_second: (tally.came_meanwhile as f64 / tally.seconds.max(f64::MIN_POSITIVE)).round(),
            cpu_us_per_packet: tally.cpu_us_per_packet(),
            cpu_share: tally.cpu_share(),
            waited_share: tally.waited_share(),
            due: tally.due,
            lost: tally.lost,
            copies: counts.copies,
            disordered: counts.disordered,
            wrong_type: counts.wrong_type,
            wrong_payload: counts.wrong_payload,
            unauthentic: counts.unauthentic,
            restarts: counts.restarts,
            pause_ms: tally.pause_ms,
            keys_due: tally.keys.0,
            keys_heard: tally.keys.1,
            late_us: tally.late_us(),
            ..Outcome::default()
        };
        if case.transcodes() {
            outcome.hear(windows)
        } else {
            outcome.compare(tally)
        }
        outcome
    }

    fn hear(&mut self, windows: &[Window]) {
        let verdicts = || windows.iter().flat_map(|window| &window.verdicts);
        self.judged = verdicts().count() as u32;
        self.quality = mean(verdicts().map(|verdict| verdict.quality)).unwrap_or(0.0);
        self.quality_least = verdicts().map(|verdict| verdict.quality).reduce(f64::min).unwrap_or(0.0);
        self.quality_foreign = mean(verdicts().filter_map(|verdict| verdict.foreign));
        self.level_db = mean(verdicts().map(|verdict| verdict.level_db)).unwrap_or(0.0);
        self.gaps = windows.iter().map(Window::gaps).sum();
        self.delay_ms = delay_of(verdicts().flat_map(|verdict| verdict.delays_ms.iter().copied()).collect());
    }

    fn compare(&mut self, tally: &Tally) {
        self.judged = self.streams;
        let wrong = tally.lost + self.wrong_payload;
        self.quality = 1.0 - (wrong as f64 / tally.due.max(1) as f64).min(1.0);
        self.quality_least = self.quality;
        let delay = percentiles(&tally.delay);
        let ms = |us: u64| us as f64 / 1e3;
        self.delay_ms = CallDelay { p50: ms(delay.p50), p99: ms(delay.p99), max: ms(tally.delay.max()) };
    }

    /// Share of the packets due that did not come.
    pub fn loss(&self) -> f64 {
        if self.due == 0 { 1.0 } else { self.lost as f64 / self.due as f64 }
    }

    /// Whether the generator itself fell behind: then nothing is known of the node.
    pub fn is_late(&self) -> bool {
        self.late_us > LATE_US
    }

    /// Whether something else had the node's processor: a node that is far from busy waits for nobody but others.
    pub fn is_disturbed(&self) -> bool {
        self.cpu_share.is_some_and(|share| share < BUSY)
            && self.waited_share.is_some_and(|share| share > WAITED)
    }

    /// What is wrong with it, the generator's own lateness first.
    pub fn faults(&self, bounds: &Bounds) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |bad: bool, text: String| {
            if bad {
                faults.push(text);
            }
        };
        fault(self.is_late(), format!("the generator itself was late: p99 {} us", self.late_us));
        let waited = self.waited_share.unwrap_or(0.0) * 100.0;
        fault(
            self.is_disturbed(),
            format!("other work had the node's processor: its threads waited {waited:.0} % of the time"),
        );
        fault(self.unauthentic > 0, format!("{} packets did not authenticate", self.unauthentic));
        fault(self.wrong_type > 0, format!("{} packets of a payload type not agreed", self.wrong_type));
        fault(
            self.wrong_payload > 0,
            format!("{} packets were not of the codec, or not what was sent", self.wrong_payload),
        );
        fault(self.copies > 0, format!("{} packets came twice", self.copies));
        fault(self.loss() > bounds.loss, format!("{} of {} packets were lost", self.lost, self.due));
        let least = bounds.quality.unwrap_or_else(|| least_quality(&self.case));
        fault(self.quality < least, format!("quality {:.3}, {least} is the least", self.quality));
        fault(
            self.delay_ms.p99 > bounds.delay_ms,
            format!("delay p99 {:.0} ms, {:.0} is the most", self.delay_ms.p99, bounds.delay_ms),
        );
        let gaps_max = (f64::from(self.judged) * bounds.gaps_per_stream).ceil() as u64;
        fault(self.gaps > gaps_max, format!("{} gaps in {} streams", self.gaps, self.judged));
        faults
    }
}

/// What counts as good.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The largest share of lost packets.
    pub loss: f64,
    /// The least quality; `None`: what the case's codecs allow.
    pub quality: Option<f64>,
    /// The longest delay, 99th percentile.
    pub delay_ms: f64,
    /// Gaps that a judged stream may have in the mean.
    pub gaps_per_stream: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { loss: 0.001, quality: None, delay_ms: 250.0, gaps_per_stream: 0.25 }
    }
}

/// What codecs leave of a waveform that went through them: below it, something is broken.
fn least_quality(case: &str) -> f64 {
    match Case::named(case) {
        Ok(case) if !case.transcodes() => 0.999,
        Ok(case) if [case.caller, case.callee].iter().any(|side| side.sound == Sound::Opus) => 0.8,
        _ => 0.95,
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn delay_of(mut delays: Vec<f64>) -> CallDelay {
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays.get((delays.len() as f64 * share) as usize).or(delays.last()).copied();
    let of = |share| at(share).unwrap_or(0.0);
    CallDelay { p50: of(0.5), p99: of(0.99), max: of(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Outcome {
        Outcome {
            case: "pcma-opus".into(),
            judged: 20,
            due: 10_000,
            quality: 0.9,
            delay_ms: CallDelay { p50: 40.0, p99: 45.0, max: 50.0 },
            ..Outcome::default()
        }
    }

    #[test]
    fn each_fault_is_named() {
        let bounds = Bounds::default();
        assert_eq!(good().faults(&bounds), Vec::<String>::new());
        let faulty = |outcome: Outcome| outcome.faults(&bounds).join("; ");
        assert!(faulty(Outcome { late_us: 6_000, ..good() }).contains("generator itself"));
        let waited = Outcome { cpu_share: Some(0.1), waited_share: Some(0.5), ..good() };
        assert!(faulty(waited).contains("other work"));
        assert!(faulty(Outcome { lost: 11, ..good() }).contains("11 of 10000"));
        assert!(faulty(Outcome { quality: 0.7, ..good() }).contains("0.8 is the least"));
        assert!(faulty(Outcome { case: "pcma-g722".into(), ..good() }).contains("0.95"));
        assert!(faulty(Outcome { gaps: 6, ..good() }).contains("6 gaps"));
        assert!(faulty(Outcome { unauthentic: 1, ..good() }).contains("authenticate"));
        assert!(faulty(Outcome { wrong_type: 1, ..good() }).contains("type"));
        assert!(faulty(Outcome { copies: 1, ..good() }).contains("twice"));
        let slow = CallDelay { p99: 251.0, ..CallDelay::default() };
        assert!(faulty(Outcome { delay_ms: slow, ..good() }).contains("delay"));
        assert!(faulty(Outcome { due: 0, ..good() }).contains("lost"));
    }

    #[test]
    fn percentiles_of_nothing_are_nothing() {
        assert_eq!(delay_of(vec![]), CallDelay::default());
        assert_eq!(delay_of(vec![3.0, 1.0, 2.0]), CallDelay { p50: 2.0, p99: 3.0, max: 3.0 });
    }
}
