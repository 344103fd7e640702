//! What a comparison shows while it runs: bars on a terminal, a line a turn elsewhere.

use std::io::{IsTerminal, Write as _};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar};

use super::turns::Progress;
use crate::live::style;

/// Between two looks at a turn.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The view.
pub(super) enum View {
    /// Bars over the whole and over the turn.
    Bars { all: MultiProgress, whole: ProgressBar, turn: ProgressBar },
    /// A line a turn.
    Lines,
    /// Nothing.
    Quiet,
}

impl View {
    /// On standard error: bars if that is a terminal.
    pub(super) fn new(quiet: bool, turns: u64) -> View {
        if quiet {
            return View::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return View::Lines;
        }
        let all = MultiProgress::new();
        let whole = all.add(ProgressBar::new(turns));
        whole.set_style(style("{bar:32.cyan/blue} {pos}/{len} turns, {elapsed_precise}, about {eta} to go"));
        let turn = all.add(ProgressBar::new_spinner());
        turn.set_style(style("{spinner} {prefix}: {msg}"));
        View::Bars { all, whole, turn }
    }

    /// A remark.
    pub(super) fn say(&self, text: &str) {
        match self {
            View::Bars { all, .. } => drop(all.println(text)),
            View::Lines => drop(writeln!(std::io::stderr(), "{text}")),
            View::Quiet => {}
        }
    }

    /// A turn begins.
    pub(super) fn begin(&self, what: &str) {
        if let View::Bars { turn, .. } = self {
            turn.set_prefix(what.to_owned());
            turn.set_message("connecting");
            turn.tick();
        }
    }

    /// Looks on until it is over.
    pub(super) fn watch(&self, progress: &Progress, over: &dyn Fn() -> bool) {
        let (mut last, mut came_last) = (Instant::now(), 0);
        while !over() {
            std::thread::sleep(LOOK_EVERY);
            let View::Bars { turn, .. } = self else { continue };
            let came = progress.came.load(Ordering::Relaxed);
            let sent = progress.sent.load(Ordering::Relaxed);
            let rate = (came - came_last) as f64 / last.elapsed().as_secs_f64();
            (last, came_last) = (Instant::now(), came);
            turn.set_message(format!("{sent} packets in, {came} out and equal, {rate:.0} a second"));
            turn.tick();
        }
    }

    /// A turn is over.
    pub(super) fn done(&self, what: &str) {
        self.say(what);
        if let View::Bars { whole, .. } = self {
            whole.inc(1);
        }
    }

    /// All turns are over.
    pub(super) fn end(&self) {
        if let View::Bars { whole, turn, .. } = self {
            turn.finish_and_clear();
            whole.finish_and_clear();
        }
    }
}
