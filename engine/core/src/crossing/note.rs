//! What the two ends of a link tell each other.

use kaname_wire::ntp::NtpTime;

use super::LinkId;
use crate::Time;
use crate::stream::RemoteReport;

/// What one shard tells another about a link, or a shard and an audio worker each other. Few, small, and never lost:
/// they wait until they are taken.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    pub(crate) link: LinkId,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// To the publisher's shard: someone waits for a key frame, perhaps because a route is new.
    KeyFrame { new_route: bool },
    /// To the publisher's shard: this packet never came; send it again if it is still there.
    Again { sequence: u64 },
    /// To the publisher's shard: whether anybody watches.
    Wanted(bool),
    /// To the subscribers' shard: the publisher's clocks.
    Report(RemoteReport),
}

/// What a [`Note`] says, for those who are no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// To the exporting end: whether anybody wants the packets.
    Wanted(bool),
    /// To the importing end: the clocks of the stream.
    Report(Clocks),
    /// To the exporting end: someone waits for a key frame.
    KeyFrame,
    /// To the exporting end: a packet never came.
    Again(u64),
}

/// A stream's two clocks at one moment, as a sender report tells them (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Wall clock.
    pub ntp: NtpTime,
    /// The same moment in the stream's timestamps.
    pub timestamp: u32,
    /// When that was told, in the node's time.
    pub arrival: Time,
}

impl Note {
    /// The importing end tells whether it wants packets; until it does, they are wanted.
    pub fn wanted(link: LinkId, wanted: bool) -> Note {
        Note { link, body: Body::Wanted(wanted) }
    }

    /// The exporting end tells the stream's clocks.
    pub fn report(link: LinkId, clocks: Clocks) -> Note {
        let Clocks { ntp, timestamp, arrival } = clocks;
        Note { link, body: Body::Report(RemoteReport { ntp, timestamp, arrival }) }
    }

    /// The link that it is about.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// What it says.
    pub fn told(&self) -> Told {
        match self.body {
            Body::KeyFrame { .. } => Told::KeyFrame,
            Body::Again { sequence } => Told::Again(sequence),
            Body::Wanted(wanted) => Told::Wanted(wanted),
            Body::Report(RemoteReport { ntp, timestamp, arrival }) => {
                Told::Report(Clocks { ntp, timestamp, arrival })
            }
        }
    }
}
