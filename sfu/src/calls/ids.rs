//! Identifiers of calls: their top bit is set, so that events of the engine find the calls and not the rooms.

use std::collections::HashSet;

use kaname_engine::EngineEvent;
use kaname_engine::audio::{AudioEvent, AudioId};
use kaname_engine::core::Event;
use kaname_engine::core::command::{LegId, LinkId, SenderId, StreamId};

const CALLS: u32 = 1 << 31;
const CALLS_LONG: u64 = 1 << 63;

/// Numbers of legs, streams and senders: never one that is in use.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    next: u32,
    next_ssrc: u32,
    /// What SSRCs are told from those of other nodes by.
    mask: u32,
    used: HashSet<u32>,
    next_link: u64,
}

impl Numbers {
    pub(super) fn new(mask: u32) -> Numbers {
        Numbers { mask, ..Numbers::default() }
    }

    /// An SSRC. A counter times an odd number meets every number once; 0 stands for none.
    pub(super) fn ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.next_ssrc.wrapping_mul(0x9e37_79b1) ^ self.mask;
            self.next_ssrc = self.next_ssrc.wrapping_add(1);
            if ssrc != 0 {
                return ssrc;
            }
        }
    }

    fn take(&mut self) -> u32 {
        loop {
            let number = CALLS | self.next;
            self.next = self.next.wrapping_add(1) & !CALLS;
            if self.used.insert(number) {
                return number;
            }
        }
    }

    pub(super) fn leg(&mut self) -> LegId {
        LegId(self.take())
    }

    pub(super) fn stream(&mut self) -> StreamId {
        StreamId(self.take())
    }

    pub(super) fn sender(&mut self) -> SenderId {
        SenderId(self.take())
    }

    pub(super) fn audio(&mut self) -> AudioId {
        AudioId(self.take())
    }

    /// Links are never used twice.
    pub(super) fn link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(CALLS_LONG | self.next_link)
    }

    pub(super) fn free(&mut self, number: u32) {
        self.used.remove(&number);
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.used.len()
    }
}

/// A token for questions about calls' figures.
pub(super) fn token(number: u64) -> u64 {
    CALLS_LONG | number
}

/// Whether an event is about a call: by the name of what it tells of.
pub(super) fn is_of_calls(event: &EngineEvent) -> bool {
    let number = match event {
        EngineEvent::Core(event) => match event {
            Event::Stats { token, .. } => return token & CALLS_LONG != 0,
            Event::PathValidated { leg, .. }
            | Event::PathSelected { leg, .. }
            | Event::RemoteLearned { leg, .. }
            | Event::ConsentLost { leg }
            | Event::Datagram { leg, .. }
            | Event::KeyExhausted { leg } => leg.0,
            Event::StreamStarted { stream, .. }
            | Event::AudioLevel { stream, .. }
            | Event::StreamEnded { stream } => stream.0,
            Event::CommandFailed { leg, .. } => leg.map_or(0, |leg| leg.0),
        },
        EngineEvent::Secured { leg, .. }
        | EngineEvent::SecureFailed { leg, .. }
        | EngineEvent::RtcpSecureFailed { leg, .. }
        | EngineEvent::LegClosed { leg }
        | EngineEvent::ChannelOpened { leg, .. }
        | EngineEvent::ChannelMessage { leg, .. }
        | EngineEvent::ChannelClosed { leg, .. } => leg.0,
        EngineEvent::Audio(event) => match event {
            AudioEvent::Key { id, .. }
            | AudioEvent::PlayEnded { id, .. }
            | AudioEvent::Speaking { id, .. }
            | AudioEvent::Recorded { id, .. }
            | AudioEvent::Failed { id, .. }
            | AudioEvent::Refused { id, .. }
            | AudioEvent::Figures { id, .. } => id.0,
        },
        EngineEvent::IoChanged { .. } | EngineEvent::PinFailed { .. } | EngineEvent::ShardFailed { .. } => 0,
    };
    number & CALLS != 0
}
