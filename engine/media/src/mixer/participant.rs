//! Somebody in a room.

use super::speakers::Talk;
use crate::Rate;
use crate::dtmf::{Detector, EventReceiver, EventSender};
use crate::jitter::{Playout, StreamFormat};
use crate::level::{AutoLevel, Gain, Limiter};
use crate::outgoing::Outgoing;
use crate::prompt::Prompts;
use crate::transcode::SendKeys;

/// Which mix a participant hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    /// That of all who do not speak.
    Shared,
    /// The hold music.
    Held,
    /// Their own, on a line of their group.
    Own(usize),
}

impl Hears {
    /// An own mix, whatever its line.
    pub(super) const OWN: Hears = Hears::Own(usize::MAX);

    pub(super) fn kind(self) -> Hears {
        if let Hears::Own(_) = self { Hears::OWN } else { self }
    }
}

/// What a participant is sent.
pub(super) struct Sends {
    pub(super) group: usize,
    pub(super) payload_type: u8,
    /// Ticks of the RTP clock in a packet.
    pub(super) ticks: u32,
    pub(super) ptime_ms: u32,
    /// Of the room, in a packet; one if packets are not longer than a tick.
    pub(super) room_ticks: u64,
    pub(super) outgoing: Outgoing,
    pub(super) hears: Hears,
    pub(super) limiter: Limiter,
    /// How keys leave, and those that do as events.
    pub(super) keys: SendKeys,
    pub(super) events: EventSender,
}

pub(super) struct Participant {
    pub(super) receives: Vec<StreamFormat>,
    pub(super) playout: Playout,
    pub(super) talk: Talk,
    /// Whether it is one of those that are heard from this tick on.
    pub(super) heard: bool,
    /// Whether its voice is part of this tick's sum: it is heard, or fades.
    pub(super) in_sum: bool,
    /// Its voice this tick, as it stands in the sum.
    pub(super) frame: Box<[i16]>,
    pub(super) decoded: bool,
    pub(super) gain: Gain,
    pub(super) auto_level: Option<AutoLevel>,
    pub(super) muted: bool,
    pub(super) held: bool,
    /// Whether it is sent anything.
    pub(super) listens: bool,
    pub(super) events: EventReceiver,
    pub(super) detector: Option<Detector>,
    pub(super) prompts: Prompts,
    pub(super) sends: Option<Sends>,
}

impl Participant {
    /// Whether it may begin or cease to be heard now: its own packets begin at this tick.
    pub(super) fn may_change(&self, tick: u64) -> bool {
        self.sends.as_ref().is_none_or(|sends| tick.is_multiple_of(sends.room_ticks))
    }

    pub(super) fn set_auto_level(&mut self, on: bool) {
        self.auto_level = on.then(|| self.auto_level.take().unwrap_or_default());
    }

    pub(super) fn set_detect_tones(&mut self, on: bool, rate: Rate) {
        self.detector = on.then(|| self.detector.take().unwrap_or_else(|| Detector::new(rate)));
    }

    /// Whether its voice may be heard at all.
    pub(super) fn may_speak(&self) -> bool {
        !self.muted && !self.held
    }
}
