//! One stream from packets to a steady flow of samples: what goes in ([`Playout::insert`]).

use kaname_wire::sequence::{distance, timestamp_distance};

use super::delay::Delay;
use super::format::{Audio, Receives, StreamFormat};
use super::store::{Kind, Store};
use super::{Inserted, Packet, PlayoutCounters};
use crate::Rate;
use crate::codec::comfort_noise::ComfortNoise;
use crate::codec::{CodecError, Codecs};
use crate::limits::{
    FORMATS_MAX, FRAME_SAMPLES_MAX, JITTER_DELAY_MS_MAX, JITTER_PACKETS, PACKET_MS_MAX, PAYLOAD_MAX,
};

mod pull;
mod redundant;

pub use pull::Played;

/// How a stream is to be played.
#[derive(Clone, Debug)]
pub struct PlayoutConfig {
    /// Its payload types; at most [`FORMATS_MAX`] are kept.
    pub formats: Vec<StreamFormat>,
    /// The rate of the samples that come out.
    pub rate: Rate,
    /// Delay of a network without jitter, in milliseconds.
    pub delay_ms_min: u32,
}

/// Memory for a frame between two steps; one for each thread is enough for all its streams.
pub struct Scratch {
    pub(super) samples: Box<[i16]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch { samples: vec![0; FRAME_SAMPLES_MAX].into() }
    }
}

/// A stream's place in time: everything counts from here.
struct Position {
    /// Newest packet, unwrapped.
    sequence: i64,
    timestamp: i64,
    /// First packet that is still wanted.
    next_sequence: i64,
    /// Timestamp of the sample behind those that are decoded.
    next_timestamp: i64,
}

/// An adaptive jitter buffer with its decoders.
pub struct Playout {
    rate: Rate,
    formats: Vec<(u8, Kind)>,
    audio: Vec<Audio>,
    store: Store,
    delay: Delay,
    clock_hz: u32,
    position: Option<Position>,
    /// Sequence and transit of a packet that did not fit: the next one tells.
    doubted: Option<(u16, i64)>,
    /// Playing began; until then the first packets gather.
    playing: bool,
    /// Decoded samples that nobody has taken yet.
    ready: Box<[i16]>,
    ready_len: usize,
    current: usize,
    /// Samples of the last packet, for those that are missing.
    packet_samples: usize,
    noise: ComfortNoise,
    /// The sender said that it is silent.
    silent: bool,
    /// It described its background (RFC 3389), and has said nothing since.
    noise_told: bool,
    /// When the last packet came that was taken.
    heard_ns: u64,
    /// Samples invented since the last that were received.
    invented: usize,
    /// Nothing waits, and what is played is invented.
    starved: bool,
    /// Of the last hundred packets, the part that was lost; and whether packets bring what was lost before them.
    loss: f32,
    redundant: bool,
    /// Whether packets come with earlier ones in them (RFC 2198).
    folded: bool,
    /// Samples until a pitch period may go or be repeated again.
    rest: usize,
    counters: PlayoutCounters,
}

impl Playout {
    /// A stream of which nothing has come yet.
    ///
    /// # Errors
    /// [`CodecError::Library`] for a codec that is not there.
    pub fn new(config: &PlayoutConfig, codecs: &Codecs) -> Result<Self, CodecError> {
        let mut formats = Vec::new();
        let mut audio = Vec::new();
        for format in config.formats.iter().take(FORMATS_MAX) {
            let kind = match format.receives {
                Receives::Audio(codec) => {
                    audio.push(Audio::new(codec, config.rate, codecs)?);
                    Kind::Audio(audio.len() as u8 - 1)
                }
                Receives::ComfortNoise => Kind::Noise,
                Receives::Events => Kind::Event,
                Receives::Redundant => Kind::Redundant,
            };
            formats.push((format.payload_type, kind));
        }
        Ok(Playout {
            rate: config.rate,
            clock_hz: audio.first().map_or(8_000, |audio| audio.clock_hz),
            formats,
            audio,
            store: Store::new(),
            delay: Delay::new(i64::from(config.delay_ms_min.min(JITTER_DELAY_MS_MAX)) * 1000),
            position: None,
            doubted: None,
            playing: false,
            // What is left of one packet, another, and a period repeated.
            ready: vec![0; config.rate.samples(2 * PACKET_MS_MAX + 20)].into(),
            ready_len: 0,
            current: 0,
            packet_samples: config.rate.samples(20),
            noise: ComfortNoise::default(),
            silent: false,
            noise_told: false,
            heard_ns: 0,
            invented: 0,
            starved: false,
            loss: 0.0,
            redundant: false,
            folded: false,
            rest: 0,
            counters: PlayoutCounters::default(),
        })
    }

    /// The rate of the samples that come out.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Ticks a second of its timestamps.
    pub fn clock_hz(&self) -> u32 {
        self.clock_hz
    }

    /// What happened so far.
    pub fn counters(&self) -> PlayoutCounters {
        self.counters
    }

    /// The delay that the stream's jitter asks for, in microseconds.
    pub fn target_us(&self) -> u64 {
        self.delay.target_us().max(0) as u64
    }

    /// Timestamp of the next sample to be heard, counted from the first packet's.
    #[cfg(test)]
    pub(super) fn play_timestamp(&self) -> Option<i64> {
        let position = self.position.as_ref()?;
        Some(position.next_timestamp - self.samples_to_ticks(self.ready_len) - (1 << 36))
    }

    /// Whether anything came so far.
    pub fn has_begun(&self) -> bool {
        self.position.is_some()
    }

    /// Takes a packet; gives `event` each telephone event in it, which is not played here.
    pub fn receive(&mut self, packet: &Packet<'_>, event: &mut dyn FnMut(&Packet<'_>)) -> Inserted {
        if self.kind(packet.payload_type) == Some(Kind::Redundant) {
            return self.unfold(packet, event);
        }
        let inserted = self.insert(packet);
        if inserted == Inserted::Event {
            event(packet);
        }
        inserted
    }

    /// Takes a packet; telephone events only have their place in the sequence, and blocks of redundant audio are not
    /// taken.
    pub fn insert(&mut self, packet: &Packet<'_>) -> Inserted {
        let inserted = self.place(packet);
        let counters = &mut self.counters;
        match inserted {
            Inserted::Stored | Inserted::Event => self.heard_ns = packet.arrival_ns,
            Inserted::Duplicate => counters.duplicate += 1,
            Inserted::Late => counters.late += 1,
            Inserted::UnknownType => counters.unknown_type += 1,
            Inserted::TooLong => counters.too_long += 1,
            Inserted::Doubtful => counters.doubtful += 1,
        }
        inserted
    }

    fn kind(&self, payload_type: u8) -> Option<Kind> {
        self.formats.iter().find(|(number, _)| *number == payload_type).map(|(_, kind)| *kind)
    }

    fn place(&mut self, packet: &Packet<'_>) -> Inserted {
        let Some(kind) = self.kind(packet.payload_type) else { return Inserted::UnknownType };
        if kind == Kind::Redundant {
            return Inserted::UnknownType;
        }
        if packet.payload.len() > PAYLOAD_MAX {
            return Inserted::TooLong;
        }
        if let Kind::Audio(index) = kind {
            let clock_hz = self.audio[usize::from(index)].clock_hz;
            if clock_hz != self.clock_hz {
                self.clock_hz = clock_hz;
                self.forget();
            }
        }
        let Some(position) = &self.position else {
            return match kind {
                // Events alone do not start a stream: their timestamps stand still.
                Kind::Event => Inserted::Event,
                _ => self.begin(packet, kind),
            };
        };
        let sequence = position.sequence + i64::from(distance(packet.sequence, position.sequence as u16));
        let timestamp =
            position.timestamp + i64::from(timestamp_distance(packet.timestamp, position.timestamp as u32));
        if kind == Kind::Event {
            return self.note_event(packet, sequence, timestamp);
        }
        let transit = self.transit_us(packet.arrival_ns, timestamp);
        let lateness = transit - self.delay.fastest_us().unwrap_or(transit);
        let far = lateness.abs() > i64::from(JITTER_DELAY_MS_MAX) * 1000
            || (sequence - position.sequence).abs() >= JITTER_PACKETS as i64
                && !self.pauses(sequence, timestamp);
        if far {
            return self.doubt(packet, kind, transit);
        }
        self.doubted = None;
        if sequence < position.next_sequence {
            // What was played and comes again, or what was given up and comes now: the same to us.
            self.delay.arrived(transit, now_us(packet.arrival_ns));
            return if self.wait_for(sequence, timestamp) {
                self.keep(packet, kind, sequence, timestamp)
            } else {
                Inserted::Late
            };
        }
        if self.store.has(sequence) {
            return Inserted::Duplicate;
        }
        self.delay.arrived(transit, now_us(packet.arrival_ns));
        self.keep(packet, kind, sequence, timestamp)
    }

    /// Whether a sequence number far ahead is one of a stream that only lost much.
    fn pauses(&self, sequence: i64, timestamp: i64) -> bool {
        self.position.as_ref().is_some_and(|position| {
            let (packets, ticks) = (sequence - position.sequence, timestamp - position.timestamp);
            packets > 0 && ticks > 0 && ticks / packets <= i64::from(self.clock_hz / 1000 * PACKET_MS_MAX)
        })
    }

    /// Starved, with a packet that was given up too early: it is played now, and the delay grows by that.
    fn wait_for(&mut self, sequence: i64, timestamp: i64) -> bool {
        let Some(position) = &mut self.position else { return false };
        let again = self.starved && self.store.is_empty() && sequence + 1 == position.next_sequence;
        let back = position.next_timestamp - timestamp;
        let most = i64::from(self.clock_hz / 1000 * JITTER_DELAY_MS_MAX);
        if !again || !(0..most).contains(&back) {
            return false;
        }
        position.next_sequence = sequence;
        position.next_timestamp = timestamp;
        true
    }

    fn keep(&mut self, packet: &Packet<'_>, kind: Kind, sequence: i64, timestamp: i64) -> Inserted {
        let Some(position) = &mut self.position else { return Inserted::Late };
        if sequence > position.sequence {
            (position.sequence, position.timestamp) = (sequence, timestamp);
        }
        // More than fits waits already: the oldest go.
        let oldest = sequence - JITTER_PACKETS as i64 + 1;
        if oldest > position.next_sequence {
            position.next_sequence = oldest;
            self.counters.overflow += self.store.remove_before(oldest) as u64;
        }
        self.store.put(sequence, timestamp, kind, packet.level, packet.payload);
        if self.starved {
            self.catch_up(sequence, timestamp);
        }
        Inserted::Stored
    }

    /// Starved, and the first packet to come is one whose time has passed: its time is now.
    fn catch_up(&mut self, sequence: i64, timestamp: i64) {
        let Some(position) = &mut self.position else { return };
        let behind = position.next_timestamp - timestamp;
        let most = i64::from(self.clock_hz / 1000 * JITTER_DELAY_MS_MAX);
        if sequence >= position.next_sequence && (1..most).contains(&behind) {
            position.next_timestamp = timestamp;
        }
        self.starved = false;
    }

    fn begin(&mut self, packet: &Packet<'_>, kind: Kind) -> Inserted {
        // Far from zero, so that earlier packets than the first do not run below.
        let sequence = i64::from(packet.sequence) + (1 << 20);
        let timestamp = i64::from(packet.timestamp) + (1 << 36);
        self.position =
            Some(Position { sequence, timestamp, next_sequence: sequence, next_timestamp: timestamp });
        let transit = self.transit_us(packet.arrival_ns, timestamp);
        self.delay.arrived(transit, now_us(packet.arrival_ns));
        self.store.put(sequence, timestamp, kind, packet.level, packet.payload);
        self.playing = false;
        Inserted::Stored
    }

    /// An event takes a sequence number, but no time of the audio.
    fn note_event(&mut self, packet: &Packet<'_>, sequence: i64, timestamp: i64) -> Inserted {
        let Some(position) = &mut self.position else { return Inserted::Event };
        let near = (sequence - position.sequence).abs() < JITTER_PACKETS as i64;
        if near && sequence >= position.next_sequence && !self.store.has(sequence) {
            self.store.put(sequence, timestamp, Kind::Event, packet.level, &[]);
            position.sequence = position.sequence.max(sequence);
        }
        Inserted::Event
    }

    /// RFC 3550 appendix A.1: two packets in sequence that agree make a stream of what would not fit the one before.
    fn doubt(&mut self, packet: &Packet<'_>, kind: Kind, transit: i64) -> Inserted {
        let agrees = self.doubted.is_some_and(|(sequence, before)| {
            packet.sequence == sequence.wrapping_add(1)
                && (transit - before).abs() < i64::from(JITTER_DELAY_MS_MAX) * 1000
        });
        if !agrees {
            self.doubted = Some((packet.sequence, transit));
            return Inserted::Doubtful;
        }
        self.forget();
        self.counters.restarts += 1;
        self.begin(packet, kind)
    }

    /// Forgets the stream but not its jitter, for the start of another.
    fn forget(&mut self) {
        self.store.clear();
        self.delay.restart();
        self.position = None;
        self.doubted = None;
        self.playing = false;
        self.silent = false;
        self.noise_told = false;
        self.invented = 0;
        self.starved = false;
        self.audio.iter_mut().for_each(Audio::reset);
    }

    fn transit_us(&self, arrival_ns: u64, timestamp: i64) -> i64 {
        now_us(arrival_ns) - self.ticks_us(timestamp)
    }

    fn ticks_us(&self, ticks: i64) -> i64 {
        ticks * 1000 / i64::from(self.clock_hz / 1000)
    }

    fn samples_to_ticks(&self, samples: usize) -> i64 {
        (samples * (self.clock_hz / 1000) as usize / self.rate.per_ms()) as i64
    }

    fn ticks_to_samples(&self, ticks: i64) -> usize {
        usize::try_from(ticks).unwrap_or(0) * self.rate.per_ms() / (self.clock_hz / 1000) as usize
    }
}

fn now_us(ns: u64) -> i64 {
    (ns / 1000) as i64
}
