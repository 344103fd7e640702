//! A mix on its way to one codec: resampled, cut to packets, encoded once for all who hear it.

use kaname_wire::extension::AudioLevel;

use super::RoomError;
use super::participant::Hears;
use crate::Rate;
use crate::codec::{Codec, Codecs, Encoder};
use crate::level::measure;
use crate::limits::PAYLOAD_MAX;
use crate::resample::Resampler;

/// Packets that one tick can make: two of 10 ms.
const PACKETS_MAX: usize = 2;

/// What makes encodings the same: codec and packet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineFormat {
    pub(super) codec: Codec,
    pub(super) ptime_ms: u32,
}

pub(super) struct Line {
    encoder: Box<dyn Encoder>,
    resampler: Resampler,
    /// Samples at the encoder's rate that wait for a whole packet.
    samples: Box<[i16]>,
    filled: usize,
    packet: usize,
    payloads: Box<[u8]>,
    lens: [usize; PACKETS_MAX],
    made: usize,
    /// RFC 6464 of what was fed, for the codecs that browsers use.
    level: Option<AudioLevel>,
    told: bool,
    failed: u64,
    /// Whether it was fed last tick, so that a packet may be half full.
    running: bool,
}

impl Line {
    pub(super) fn new(
        format: LineFormat,
        room: Rate,
        tick_ms: u32,
        codecs: &Codecs,
    ) -> Result<Self, RoomError> {
        let rate = format.codec.rate_for(room.min(format.codec.rate_max()));
        Ok(Line {
            encoder: codecs.encoder(format.codec, rate)?,
            resampler: Resampler::new(room, rate),
            samples: vec![0; rate.samples(format.ptime_ms + tick_ms)].into(),
            filled: 0,
            packet: rate.samples(format.ptime_ms),
            payloads: vec![0; PAYLOAD_MAX * PACKETS_MAX].into(),
            lens: [0; PACKETS_MAX],
            made: 0,
            level: None,
            told: matches!(format.codec, Codec::Opus(_)),
            failed: 0,
            running: false,
        })
    }

    /// Begins another mix: nothing of the one before is heard in it.
    pub(super) fn restart(&mut self) {
        self.encoder.reset();
        self.resampler.reset();
        self.filled = 0;
        self.encoder.refresh();
    }

    /// Somebody new listens: the next packet is to be understood without those before.
    pub(super) fn refresh(&mut self) {
        self.encoder.refresh();
    }

    /// Takes a tick of the mix, with voices in it or without; gives how many packets it made (also those that need not be sent).
    pub(super) fn feed(&mut self, mix: &[i16], voices: bool) -> usize {
        self.filled += self.resampler.process(mix, &mut self.samples[self.filled..]);
        self.made = 0;
        self.level = self.told.then(|| AudioLevel { voice: voices, level: measure(mix) });
        while self.filled >= self.packet && self.made < PACKETS_MAX {
            let room = &mut self.payloads[self.made * PAYLOAD_MAX..][..PAYLOAD_MAX];
            let encoded = self.encoder.encode(&self.samples[..self.packet], room);
            self.failed += u64::from(encoded.is_err());
            self.lens[self.made] = encoded.unwrap_or(0);
            self.made += 1;
            self.samples.copy_within(self.packet..self.filled, 0);
            self.filled -= self.packet;
        }
        self.made
    }

    /// Takes a tick of a mix that so many hear; nothing while nobody does, until a packet may begin.
    pub(super) fn feed_for(&mut self, listeners: usize, begins: bool, mix: &[i16], voices: bool) -> usize {
        self.made = 0;
        if listeners == 0 || !(self.running || begins) {
            self.running = false;
            return 0;
        }
        if !self.running {
            self.restart();
            self.running = true;
        }
        self.feed(mix, voices)
    }

    pub(super) fn expect_loss(&mut self, percent: u8) {
        self.encoder.expect_loss(percent);
    }

    /// The level of this tick's packets.
    pub(super) fn level(&self) -> Option<AudioLevel> {
        self.level
    }

    /// The packets of this tick; an empty one needs not be sent.
    pub(super) fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.made).map(|n| &self.payloads[n * PAYLOAD_MAX..][..self.lens[n]])
    }

    /// Frames that the encoder refused since the last call.
    pub(super) fn take_failed(&mut self) -> u64 {
        std::mem::take(&mut self.failed)
    }
}

/// All encodings of one format in a room.
pub(super) struct Group {
    pub(super) format: LineFormat,
    /// For all who listen and do not speak, and for all who hear the hold music.
    pub(super) shared: Line,
    pub(super) held: Line,
    /// Who listen to those two this tick.
    pub(super) shared_listeners: usize,
    pub(super) held_listeners: usize,
    /// For those who hear what nobody else hears.
    own: Vec<Line>,
    free: Vec<usize>,
}

impl Group {
    pub(super) fn new(
        format: LineFormat,
        room: Rate,
        tick_ms: u32,
        own: usize,
        codecs: &Codecs,
    ) -> Result<Self, RoomError> {
        let line = || Line::new(format, room, tick_ms, codecs);
        let own = (0..own).map(|_| line()).collect::<Result<Vec<_>, _>>()?;
        let free = (0..own.len()).collect();
        Ok(Group {
            format,
            shared: line()?,
            held: line()?,
            shared_listeners: 0,
            held_listeners: 0,
            own,
            free,
        })
    }

    pub(super) fn begin_tick(&mut self) {
        (self.shared_listeners, self.held_listeners) = (0, 0);
    }

    /// Counts one who listens.
    pub(super) fn count(&mut self, hears: Hears) {
        match hears {
            Hears::Shared => self.shared_listeners += 1,
            Hears::Held => self.held_listeners += 1,
            Hears::Own(_) => {}
        }
    }

    /// Ticks of the room in a packet.
    pub(super) fn room_ticks(&self, tick_ms: u32) -> u64 {
        u64::from((self.format.ptime_ms / tick_ms).max(1))
    }

    /// Loss that is reported, for all encodings.
    pub(super) fn expect_loss(&mut self, percent: u8) {
        let lines = self.own.iter_mut().chain([&mut self.shared, &mut self.held]);
        lines.for_each(|line| line.expect_loss(percent));
    }

    /// A line for somebody who hears their own mix. A new one if all are in use: then something began to play for them,
    /// which is no steady state.
    pub(super) fn take(&mut self, room: Rate, tick_ms: u32, codecs: &Codecs) -> Option<usize> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.own.push(Line::new(self.format, room, tick_ms, codecs).ok()?);
                self.own.len() - 1
            }
        };
        self.own[index].restart();
        Some(index)
    }

    /// Gives a line back.
    pub(super) fn give_back(&mut self, index: usize) {
        self.free.push(index);
    }

    pub(super) fn own(&mut self, index: usize) -> &mut Line {
        &mut self.own[index]
    }
}
