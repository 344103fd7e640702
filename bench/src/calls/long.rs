//! The long run: whether calls drift, break up or cost more and more memory while nobody looks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::CallError;
use super::command::Asked;
use super::outcome::{Bounds, CallDelay, Outcome};
use crate::fleet::process::Look;
use crate::report;
use crate::stamp::clock_ns;

/// Between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(60);
/// Calls unless asked otherwise: what the issue of a long run is about, well below a core's capacity.
const CALLS: u32 = 100;
/// Delay may be this much longer at the end than at the beginning: a jitter buffer's own steps.
const DRIFT_MS: f64 = 20.0;
/// Memory may grow by this much after the first minute, whatever its size: allocators keep some.
const GROWTH_BYTES: u64 = 4 << 20;

/// One line of progress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Minute {
    /// Seconds since media began.
    pub at_s: f64,
    /// Packets sent so far.
    pub sent: u64,
    /// Packets that came so far.
    pub came: u64,
    /// Of the streams listened to since the last line; see [`Outcome::quality`].
    pub quality: f64,
    /// In those streams.
    pub gaps: u64,
    /// Of those streams.
    pub delay_ms: CallDelay,
    /// Resident memory of the node.
    pub resident_bytes: Option<u64>,
    /// CPU of the node since the last line, as a share of one core.
    pub cpu_share: Option<f64>,
}

/// What a long run came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LongRun {
    /// `kaname`, `rtpengine`, or `running`: one that was not started for this.
    pub system: String,
    /// As the system or its package names it.
    pub version: String,
    /// Everything together.
    pub outcome: Outcome,
    /// Median delay of the last window less that of the first.
    pub drift_ms: f64,
    /// Resident memory at the end less that of the first minute.
    pub growth_bytes: Option<i64>,
    /// Line by line; none where the node forwards and nobody listens.
    pub minutes: Vec<Minute>,
    /// What was wrong with it.
    pub faults: Vec<String>,
}

/// Runs each case for so long.
pub(super) fn run(asked: &mut Asked<'_>, minutes: u32) -> Result<bool, CallError> {
    let system = asked.systems[0].clone();
    let version = system.version()?;
    let mut runs = Vec::new();
    for case in asked.cases.clone() {
        asked.bench.check_sources(&case)?;
        let mut turn = asked.turn(case, asked.options.calls.unwrap_or(CALLS), minutes * 60);
        turn.times.listen_every = LINE_EVERY.min(turn.times.counted);
        let mut node = system.start(&asked.bench.place)?;
        let (pid, quiet) = (node.pid, asked.options.quiet);
        let mut lines: Vec<Minute> = Vec::new();
        let mut last = look(pid);
        let outcome = asked.bench.take(&mut node, &turn, &mut |window, progress| {
            let now = look(pid);
            let between = last.as_ref().zip(now.as_ref()).map(|(last, now)| now.since(last));
            let count =
                |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
            let line = Minute {
                at_s: window.at_s,
                sent: count(&progress.sent),
                came: count(&progress.came),
                quality: window.quality(),
                gaps: window.gaps(),
                delay_ms: window.delay(),
                resident_bytes: now.as_ref().map(|now| now.rss),
                cpu_share: between.map(|between| between.cores()),
            };
            if !quiet {
                say(&line);
            }
            lines.push(line);
            last = now;
        })?;
        let run = run_of((system.name(), &version), outcome, lines);
        asked.print(&text(&run), &run)?;
        runs.push(run);
    }
    let good = runs.iter().all(|run| run.faults.is_empty());
    asked.write_page(report::Input { long_calls: runs, ..report::Input::default() })?;
    Ok(good)
}

fn look(pid: Option<u32>) -> Option<Look> {
    pid.and_then(|pid| Look::at(pid, clock_ns()))
}

fn say(line: &Minute) {
    use std::io::Write as _;
    let mebibytes =
        line.resident_bytes.map_or("-".into(), |bytes| format!("{:.1}", bytes as f64 / 1_048_576.0));
    let share = line.cpu_share.map_or("-".into(), |share| format!("{:.0}", share * 100.0));
    let _ = writeln!(
        std::io::stderr(),
        "{:>6.0} s: {} sent, {} came, quality {:.3}, {} gaps, delay {:.1}/{:.1} ms, {mebibytes} MiB, {share} % of a core",
        line.at_s,
        line.sent,
        line.came,
        line.quality,
        line.gaps,
        line.delay_ms.p50,
        line.delay_ms.p99
    );
}

fn run_of((system, version): (&str, &str), outcome: Outcome, minutes: Vec<Minute>) -> LongRun {
    let ends = minutes.first().zip(minutes.last());
    // Cases that forward are not listened to: their delay stands in the outcome.
    let drift_ms = ends.map_or(0.0, |(first, last)| last.delay_ms.p50 - first.delay_ms.p50);
    let resident = |minute: &Minute| minute.resident_bytes.map(|bytes| bytes as i64);
    let growth_bytes = ends.and_then(|(first, last)| Some(resident(last)? - resident(first)?));
    let mut faults = outcome.faults(&Bounds::default());
    if drift_ms.abs() > DRIFT_MS {
        faults.push(format!("the delay drifted by {drift_ms:.1} ms"));
    }
    let first = ends.and_then(|(first, _)| first.resident_bytes).unwrap_or(0);
    if growth_bytes.is_some_and(|growth| growth > GROWTH_BYTES.max(first / 10) as i64) {
        faults.push(format!("memory grew by {} KiB", growth_bytes.unwrap_or(0) / 1024));
    }
    LongRun {
        system: system.into(),
        version: version.into(),
        outcome,
        drift_ms,
        growth_bytes,
        minutes,
        faults,
    }
}

fn text(run: &LongRun) -> String {
    let outcome = &run.outcome;
    let growth = run.growth_bytes.map_or("unknown".into(), |bytes| format!("{} KiB", bytes / 1024));
    let faults = if run.faults.is_empty() { "nothing wrong".into() } else { run.faults.join("; ") };
    format!(
        "{} {}: {} calls for {:.0} s, {} of {} packets lost, quality {:.3} (worst {:.3}), {} gaps, longest pause {:.0} ms, \
         delay {:.1}/{:.1}/{:.1} ms, drift {:.1} ms, memory growth {growth}: {faults}\n",
        run.system,
        outcome.case,
        outcome.calls,
        outcome.seconds,
        outcome.lost,
        outcome.due,
        outcome.quality,
        outcome.quality_least,
        outcome.gaps,
        outcome.pause_ms,
        outcome.delay_ms.p50,
        outcome.delay_ms.p99,
        outcome.delay_ms.max,
        run.drift_ms
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(delay: f64, resident: u64) -> Minute {
        let delay_ms = CallDelay { p50: delay, ..CallDelay::default() };
        Minute { quality: 1.0, delay_ms, resident_bytes: Some(resident), ..Minute::default() }
    }

    fn good() -> Outcome {
        Outcome { case: "pcma-opus".into(), due: 100, quality: 0.95, judged: 4, ..Outcome::default() }
    }

    #[test]
    fn drift_and_growth_are_faults() {
        let of = |minutes| run_of(("kaname", "1"), good(), minutes);
        assert_eq!(of(vec![minute(40.0, 50 << 20), minute(45.0, 51 << 20)]).faults, Vec::<String>::new());
        let drifted = of(vec![minute(40.0, 50 << 20), minute(75.0, 50 << 20)]);
        assert!(drifted.faults[0].contains("drifted by 35.0"), "{:?}", drifted.faults);
        let grown = of(vec![minute(40.0, 50 << 20), minute(40.0, 60 << 20)]);
        assert!(grown.faults[0].contains("memory grew by 10240 KiB"), "{:?}", grown.faults);
        assert_eq!(of(vec![]).growth_bytes, None);
    }
}
