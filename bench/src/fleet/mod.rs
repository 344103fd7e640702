//! Fleets of light clients, built on our own packet engine so that thousands fit one core, with a sampled share of
//! foreign ones beside them; what they do (a [`Scenario`]), where (a [`Target`]) and what came of it (an [`Outcome`]).
//!
//! A light client does what a browser does towards a media node: full connectivity checks (RFC 8445), DTLS as a client,
//! SRTP, receiver reports, NACK and RTX, key-frame requests and transport-wide feedback. It does not decode: each payload
//! carries a stamp (who, which, when), so loss, order and delay are known to the packet.

mod capacity;
mod client;
pub mod command;
mod conductor;
mod dtls;
mod figures;
mod foreign;
mod ice;
mod incoming;
mod launch;
mod limits;
mod outcome;
mod presets;
pub(crate) mod process;
mod receive;
mod result;
mod scenario;
mod sdp;
mod signal;
mod socket;
mod source;
mod stamp;
mod stream;
mod table;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod trace;
mod wheel;

pub use capacity::{Capacity, Quality, Step, find};
use conductor::Conductor;
pub use launch::{Launch, Launched, development_token, pin};
pub use outcome::{Bottleneck, Delay, Harness, Joins, NodeFigures, Outcome, Packets, Sample};
pub use presets::PRESETS;
pub use scenario::{Arrival, Pattern, Scenario, Shape, Source, Suite};
pub use table::verdict;
pub use target::{LegTarget, NodeTarget, ReceiveLeg, SendLeg, Target, TokenFor};

use crate::stamp::clock_ns;
use process::Look;

/// Looks on while a scenario runs.
pub trait Observer {
    /// What is being done now, in a few words: `connecting`, `sending`, `draining`.
    fn phase(&mut self, _phase: &str) {}

    /// About once a second.
    fn sample(&mut self, _sample: &Sample) {}

    /// Asked often: `true` ends the scenario early, with what came of it so far.
    fn stop(&self) -> bool {
        false
    }
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Why a scenario could not be carried out. One that ran and lost something is an [`Outcome`] instead.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The scenario cannot be run as it is written.
    #[error("this scenario cannot be run: {0}")]
    Scenario(String),
    /// The target is not on this machine and nobody allowed that.
    #[error(
        "{0} is not an address of this machine; with --allow-remote the harness sends load to it all the same"
    )]
    Remote(String),
    /// The target did not do its part.
    #[error("the target: {0}")]
    Target(String),
    /// A socket or a file of this machine failed.
    #[error("this machine: {0}")]
    Io(#[from] std::io::Error),
}

/// Runs a scenario against a target to its end, and says what came of it. Blocks: it has threads of its own, so call it
/// from a thread that belongs to no asynchronous runtime.
///
/// # Errors
/// Only what kept the scenario from running; loss and lateness stand in the [`Outcome`].
pub fn run(scenario: Scenario, target: Target, observer: &mut dyn Observer) -> Result<Outcome, FleetError> {
    scenario.check()?;
    target.check()?;
    let mut conductor = Conductor::new(scenario, target)?;
    conductor.connect(observer)?;
    conductor.check_suite()?;
    conductor.pump(observer, limits::SETTLE_NS, |_| false)?;
    observer.phase("sending");
    conductor.open();
    let look = |conductor: &Conductor| (conductor.look(), Look::at(std::process::id(), clock_ns()));
    let before = look(&conductor);
    conductor.count(observer)?;
    let after = look(&conductor);
    conductor.close();
    conductor.drain(observer)?;
    observer.phase("leaving");
    conductor.leave_all(observer)?;
    Ok(conductor.outcome(before, after))
}
