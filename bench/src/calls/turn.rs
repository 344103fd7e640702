//! One turn: calls set up, media both ways, what came judged, calls taken down.

use std::net::IpAddr;
use std::sync::mpsc;
use std::time::Duration;

use super::CallError;
use super::case::Case;
use super::drive::{Drive, Progress, Times};
use super::judge::{Capture, Foreign, judge, source_likeness};
use super::limits::FOREIGN;
use super::node::Running;
use super::outcome::{Outcome, Window};
use super::sound::{Library, Material};
use super::switchboard::{Call, Switchboard};
use super::tally::Tally;
use crate::rivals::{Placement, Suite};

/// Likeness that a foreign decoder has to find in what the generator itself encodes.
const SOURCE_LIKENESS: f64 = 0.95;

/// What is asked of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) case: Case,
    pub(super) suite: Suite,
    pub(super) calls: u32,
    pub(super) times: Times,
    /// Where the ends live.
    pub(super) host: IpAddr,
}

impl Turn {
    /// So many seconds of a case, both ways.
    pub(super) fn new(case: Case, suite: Suite, calls: u32, seconds: u32, host: IpAddr) -> Turn {
        let counted = Duration::from_secs(seconds.into());
        Turn { case, suite, calls, times: Times { counted, listen_every: counted, one_way: false }, host }
    }
}

/// What outlives turns: encoded sound, the foreign decoder.
pub(super) struct Bench {
    pub(super) place: Placement,
    library: Library,
    pub(super) foreign: Option<Foreign>,
}

impl Bench {
    pub(super) fn new(place: Placement) -> Bench {
        Bench { place, library: Library::default(), foreign: Foreign::find() }
    }

    /// Has the foreign decoder hear what callers and callees of a case will send: if it does not, the generator is wrong.
    pub(super) fn check_sources(&mut self, case: &Case) -> Result<(), CallError> {
        let Some(foreign) = self.foreign.as_ref().filter(|_| case.transcodes()) else { return Ok(()) };
        for side in [case.caller, case.callee] {
            let Material::Voice { voice, .. } = self.library.voice(side.sound, 0)? else { continue };
            match source_likeness(foreign, &voice) {
                Some(likeness) if likeness >= SOURCE_LIKENESS => {}
                heard => {
                    let name = side.sound.name();
                    return Err(CallError::Setup(format!(
                        "ffmpeg does not hear the generator's own {name}: likeness {heard:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Takes a turn at a node. `heard` looks at each window as it is judged.
    pub(super) fn take(
        &mut self,
        node: &mut Running,
        turn: &Turn,
        heard: &mut dyn FnMut(&Window, &Progress),
    ) -> Result<Outcome, CallError> {
        let client = node.client()?;
        let mut board = Switchboard::new(client, turn.case, turn.suite, turn.host)?;
        let taken = self.with_calls(node, turn, &mut board, heard);
        let ended = board.hang_up();
        let done = taken.and_then(|taken| ended.map(|()| taken));
        let (tally, windows) = done.map_err(|error| node.explain(error))?;
        if !node.is_alive() {
            return Err(node.explain(CallError::Setup("the node ended while it was measured".into())));
        }
        Ok(Outcome::new(&turn.case, &tally, &windows))
    }

    fn with_calls(
        &mut self,
        node: &Running,
        turn: &Turn,
        board: &mut Switchboard,
        heard: &mut dyn FnMut(&Window, &Progress),
    ) -> Result<(Tally, Vec<Window>), CallError> {
        let calls: Vec<Call> = (0..turn.calls).map(|_| board.connect()).collect::<Result<_, _>>()?;
        let drive = Drive::new(calls, &turn.case, &turn.times, &mut self.library)?;
        let (place, pid, progress) = (&self.place, node.pid, Progress::default());
        let (sender, windows) = mpsc::channel::<Vec<Capture>>();
        std::thread::scope(|scope| {
            let progress = &progress;
            let driving = scope.spawn(move || {
                place.enter_harness()?;
                drive.run(&turn.times, pid, progress, &sender)
            });
            // Ends when the drive is over, whichever way.
            let mut all = Vec::new();
            for captures in windows {
                let window = listen(&captures, self.foreign.as_ref());
                heard(&window, progress);
                all.push(window);
            }
            let tally = driving
                .join()
                .unwrap_or_else(|_| Err(CallError::Setup("the generator's thread panicked".into())))?;
            Ok((tally, all))
        })
    }
}

/// Judges all streams of a window; the first few by the foreign decoder as well.
fn listen(captures: &[Capture], foreign: Option<&Foreign>) -> Window {
    let at_s = captures.first().map_or(0.0, |capture| capture.at_s);
    let judged = captures.iter().enumerate();
    let verdicts = judged.map(|(n, capture)| judge(capture, foreign.filter(|_| n < FOREIGN))).collect();
    Window { at_s, verdicts }
}
