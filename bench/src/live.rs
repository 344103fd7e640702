//! What a run shows while it goes on: bars on a terminal, plain lines elsewhere, nothing when asked to be quiet.

use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::fleet::{Observer, Sample};

/// How often a spinner turns by itself, so that a wait does not look like a hang.
const TICK: Duration = Duration::from_millis(125);

/// The style of a template. A template that does not parse would be a slip of ours: then a plain bar has to do.
pub(crate) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Looks on while a scenario runs.
pub struct Live {
    view: View,
    /// A sample as a line, where there are no bars.
    line: fn(&Sample) -> String,
}

enum View {
    Bars(Bars),
    Lines,
    Quiet,
}

struct Bars {
    _all: MultiProgress,
    time: ProgressBar,
    packets: ProgressBar,
    delay: ProgressBar,
    load: ProgressBar,
}

impl Live {
    /// On standard error, for a run of so many seconds; `line` writes a sample where there is no terminal.
    pub fn new(quiet: bool, seconds: u32, line: fn(&Sample) -> String) -> Live {
        let view = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => View::Quiet,
            (false, true) => View::Bars(Bars::new(seconds)),
            (false, false) => View::Lines,
        };
        Live { view, line }
    }
}

impl Bars {
    fn new(seconds: u32) -> Bars {
        let all = MultiProgress::new();
        let time = all.add(ProgressBar::new(u64::from(seconds)));
        time.set_style(style("{spinner} {prefix:<12} {bar:32.cyan/blue} {pos}/{len} s"));
        time.enable_steady_tick(TICK);
        let row = |prefix: &'static str| {
            let bar = all.add(ProgressBar::new(100));
            bar.set_style(style("  {prefix:<12} {msg}"));
            bar.set_prefix(prefix);
            bar
        };
        let (packets, delay) = (row("packets"), row("delay"));
        let load = all.add(ProgressBar::new(100));
        load.set_style(style("  {prefix:<12} {bar:32.green/black} {msg}"));
        load.set_prefix("node's CPU");
        Bars { _all: all, time, packets, delay, load }
    }

    fn show(&self, sample: &Sample) {
        self.time.set_position(sample.at as u64);
        self.packets.set_message(format!(
            "{} clients, {} sent, {} received a second, {} due",
            sample.connected, sample.sent, sample.received, sample.missing
        ));
        let (median, high, longest) = sample.delay_us;
        self.delay.set_message(format!("{median} us median, {high} us p99, {longest} us longest"));
        let percent = sample.node_cpu.unwrap_or(0.0) * 100.0;
        self.load.set_position(percent.min(100.0) as u64);
        self.load
            .set_message(format!("{percent:.0} % of a core, harness {:.0} %", sample.harness_cpu * 100.0));
    }
}

impl Observer for Live {
    fn phase(&mut self, phase: &str) {
        match &self.view {
            View::Bars(bars) => bars.time.set_prefix(phase.to_owned()),
            // A closed pipe is the reader's wish.
            View::Lines => drop(writeln!(std::io::stderr(), "-- {phase}")),
            View::Quiet => {}
        }
    }

    fn sample(&mut self, sample: &Sample) {
        match &self.view {
            View::Bars(bars) => bars.show(sample),
            View::Lines => drop(std::io::stderr().write_all((self.line)(sample).as_bytes())),
            View::Quiet => {}
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in [&self.time, &self.packets, &self.delay, &self.load] {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        for template in [
            "{spinner} {prefix:<12} {bar:32.cyan/blue} {pos}/{len} s",
            "  {prefix:<12} {msg}",
            "  {prefix:<12} {bar:32.green/black} {msg}",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_look_at_nothing_is_no_trouble() {
        let bars = Bars::new(10);
        bars.show(&Sample::default());
        assert_eq!((bars.time.position(), bars.load.position()), (0, 0));
        bars.show(&Sample { at: 4.0, node_cpu: Some(2.5), ..Sample::default() });
        assert_eq!((bars.time.position(), bars.load.position()), (4, 100));
        assert!(bars.load.message().contains("250 %"));
    }
}
