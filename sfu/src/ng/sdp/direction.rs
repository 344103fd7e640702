//! Who sends, over an offer and its answer (RFC 3264 sections 6.1 and 8.4).

use crate::sdp::Direction;

/// The direction of these properties.
fn of(sends: bool, receives: bool) -> Direction {
    match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

/// What an answer may say at most, of what the answerer wants: it sends only to an offerer who receives, and receives
/// only from one who sends.
pub fn answer_within(offered: Direction, wanted: Direction) -> Direction {
    of(wanted.sends() && offered.receives(), wanted.receives() && offered.sends())
}

/// Whether the offerer holds: it does not listen.
pub fn holds(offered: Direction) -> bool {
    !offered.receives()
}
