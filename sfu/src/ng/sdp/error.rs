//! Why a session description is refused.

use crate::sdp::{Place, Quoted};

/// What is wrong with a text and what to do about it. Foreign text appears only shortened and escaped, keys never.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Larger than [`super::limits::TEXT_BYTES`].
    #[error("the SDP has {size} bytes and at most {limit} are read; send fewer m-lines or codecs")]
    TooLarge {
        /// How large it is.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Longer than [`super::limits::LINE_BYTES`].
    #[error("line {line} has {size} bytes and at most {limit} are read; shorten it")]
    LongLine {
        /// Which line, from 1.
        line: usize,
        /// How long it is.
        size: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Not a session description.
    #[error("line {line} is not SDP ({problem}); send the body as the SIP message carries it")]
    NotSdp {
        /// Which line, from 1; 0 for the text as a whole.
        line: usize,
        /// What the reader met.
        problem: &'static str,
    },
    /// A bound of [`super::limits`] is exceeded.
    #[error("{place} has more than {limit} {what}; leave some out")]
    TooMany {
        /// Which m-line, or the session.
        place: Place,
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// There is no m-line, so nothing can be relayed.
    #[error("the SDP has no m-line; let the proxy call the relay only for bodies with media")]
    NoMedia,
    /// A line that must be there is not.
    #[error("{place} has no {what}; {hint}")]
    Missing {
        /// Which m-line, or the session.
        place: Place,
        /// The line.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A line that may stand once is there twice and differs.
    #[error("line {line}: {what} stands twice; it may stand once")]
    Twice {
        /// The second one, from 1.
        line: usize,
        /// What.
        what: &'static str,
    },
    /// A line that cannot be understood.
    #[error("line {line}: {what} reads {value}, but must be {expected}")]
    Invalid {
        /// Which line, from 1.
        line: usize,
        /// The kind of line.
        what: &'static str,
        /// What it reads.
        value: Quoted,
        /// What it should be.
        expected: &'static str,
    },
}

/// Checks a count against its bound.
pub(super) fn bounded(count: usize, limit: usize, place: Place, what: &'static str) -> Result<(), SdpError> {
    if count > limit { Err(SdpError::TooMany { place, what, limit }) } else { Ok(()) }
}
