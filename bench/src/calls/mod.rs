//! Calls through a media relay that speaks `ng`: the generator plays both ends of every call and the SIP proxy between them.
//!
//! It sends sound it made itself, takes what comes out at the far end, and judges it: to the byte where the node forwards,
//! by likeness where it transcodes. SRTP and DTLS of the ends are rtc-srtp's and rtc-dtls's; but for the latter they share no code with
//! our node.

mod case;
pub mod command;
mod compare;
mod drive;
mod end;
mod judge;
mod keys;
mod limits;
mod long;
pub(crate) mod ng;
mod node;
mod outcome;
mod ramp;
mod rate;
mod row;
mod schedule;
mod sdp;
mod sound;
mod switchboard;
mod tally;
#[cfg(test)]
mod tests;
mod track;
mod turn;
mod usage;

pub use case::{CASES, Case};
pub use long::{LongRun, Minute};
pub use outcome::{CallDelay, Outcome};
pub use row::CallRow;

use crate::rivals::RivalError;

/// Why calls could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The node, or a system that is compared, was not ready.
    #[error("{0}")]
    Node(#[from] RivalError),
    /// A call could not be set up.
    #[error("{0}")]
    Setup(String),
    /// What was asked for cannot be done.
    #[error("{0}")]
    Asked(String),
    /// This machine failed.
    #[error("this machine: {0}")]
    Io(#[from] std::io::Error),
}

impl From<ng::NgError> for CallError {
    fn from(error: ng::NgError) -> Self {
        CallError::Setup(error.to_string())
    }
}
