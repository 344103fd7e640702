//! What comes out of a jitter buffer.

use super::{Audio, Kind, Playout, Scratch, now_us};
use crate::codec::g711::Law;
use crate::jitter::stretch::{shrink, stretch};

/// Off by less than this, the delay is right; it is less than any jitter.
const SLACK_US: i64 = 2_000;
/// The longest pitch period that is left out or repeated.
const PERIOD_MS_MAX: u32 = 10;
/// Off by more, it takes too long by periods: the oldest packets go.
const BURST_US: i64 = 200_000;
/// Between two periods left out or repeated, in milliseconds.
const REST_MS: u32 = 80;
/// Invented audio comes in pieces of this length.
const PIECE_MS: u32 = 10;
/// A talker is silent, not lost, when invented audio has faded for so long: then nothing is missing any more.
const GONE_MS: u32 = 2_000;
/// Invented audio in a row beyond which it is no longer played: it has long faded, and a sender in discontinuous
/// transmission (Opus: a packet each 400 ms) would have been heard again.
const FADED_MS: u32 = 500;
/// A described background goes on for so long without a packet: RFC 3389 leaves open how often it is described again, and
/// nobody pauses longer.
const NOISE_MS: u32 = 30_000;
const MS_NS: u64 = 1_000_000;

/// From this loss on, redundancy is worth a packet's delay.
const LOSS: f32 = 0.02;
/// A packet's weight in the loss.
const LOSS_STEP: f32 = 0.01;

/// What a stretch of played audio is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Played {
    /// Nothing came yet, or nothing any more and what was invented in its place has faded: silence.
    Nothing,
    /// At least some of it was received.
    Audio,
    /// Comfort noise: the talker is silent.
    Noise,
    /// All of it was invented.
    Concealed,
}

/// Whether the delay is to change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Keep,
    Shrink,
    Stretch,
}

/// What a step of filling was.
enum Step {
    Decoded,
    Noise,
    Concealed,
}

impl Playout {
    /// Fills `out` with what is to be heard from `now_ns` on. Call it at a steady pace, each time for as many samples as
    /// time has passed (at most 60 ms).
    pub fn pull(&mut self, now_ns: u64, out: &mut [i16], scratch: &mut Scratch) -> Played {
        if !self.is_time(now_ns) {
            out.fill(0);
            return Played::Nothing;
        }
        let left = self.ready_len;
        let error_us = self.adjust(now_ns, out.len());
        let pace = self.pace(left, out.len(), error_us);
        let mut played = Played::Noise;
        self.rest = self.rest.saturating_sub(out.len());
        if self.ready_len == 0 && pace == Pace::Keep && self.decode_whole(out, scratch) {
            return Played::Audio;
        }
        while self.ready_len < out.len() {
            played = match (self.fill(out.len() - self.ready_len, error_us, pace, scratch), played) {
                (Step::Decoded, _) | (_, Played::Audio) => Played::Audio,
                (Step::Concealed, _) | (_, Played::Concealed) => Played::Concealed,
                (Step::Noise, _) => Played::Noise,
            };
        }
        out.copy_from_slice(&self.ready[..out.len()]);
        self.ready.copy_within(out.len()..self.ready_len, 0);
        self.ready_len -= out.len();
        if self.is_over(played, now_ns) {
            out.fill(0);
            return Played::Nothing;
        }
        played
    }

    /// Whether nobody sends any more, and what is played is only what fills the gap.
    fn is_over(&self, played: Played, now_ns: u64) -> bool {
        if !matches!(played, Played::Concealed | Played::Noise) {
            return false;
        }
        let patience_ms = if self.noise_told { NOISE_MS } else { GONE_MS };
        let unheard_ns = now_ns.saturating_sub(self.heard_ns);
        self.invented > self.rate.samples(FADED_MS) || unheard_ns > u64::from(patience_ms) * MS_NS
    }

    /// The common case between telephones: the packet that is due is as long as what is wanted, and its codes only need
    /// another law. False, and nothing is changed, in all other cases: then [`Playout::pull`].
    pub(crate) fn pull_codes(&mut self, now_ns: u64, to: Law, out: &mut [u8]) -> bool {
        if self.ready_len > 0 || !self.is_time(now_ns) {
            return false;
        }
        let error_us = self.adjust(now_ns, out.len());
        if self.pace(0, out.len(), error_us) != Pace::Keep {
            return false;
        }
        let Some(position) = &self.position else { return false };
        let sequence = position.next_sequence;
        let Some(slot) = self.store.first_from(sequence) else { return false };
        let Kind::Audio(index) = slot.kind else { return false };
        let due = slot.sequence == sequence && slot.timestamp == position.next_timestamp;
        if !due || self.current != usize::from(index) {
            return false;
        }
        if !self.audio[usize::from(index)].translate(&slot.payload, to, out) {
            return false;
        }
        self.rest = self.rest.saturating_sub(out.len());
        self.packet_samples = out.len();
        self.advance(sequence + 1, out.len());
        self.note_decoded(false);
        self.store.remove(sequence);
        true
    }

    /// Lets time pass without decoding, for a stream that nobody listens to now.
    pub fn skip(&mut self, now_ns: u64, samples: usize) {
        if !self.is_time(now_ns) {
            return;
        }
        self.adjust(now_ns, samples);
        let rest = samples.saturating_sub(self.ready_len);
        self.ready_len = 0;
        let ticks = self.samples_to_ticks(rest);
        let Some(position) = &mut self.position else { return };
        position.next_timestamp += ticks;
        while let Some(slot) = self.store.first_from(position.next_sequence) {
            if slot.timestamp >= position.next_timestamp {
                break;
            }
            position.next_sequence = slot.sequence + 1;
            if let (Kind::Noise, payload) = (slot.kind, &slot.payload) {
                self.noise.describe(payload);
            }
            self.silent = slot.kind == Kind::Noise;
            (self.noise_told, self.invented) = (self.silent, 0);
            let sequence = slot.sequence;
            self.store.remove(sequence);
        }
    }

    /// The level (RFC 6464, in -dBov) that the packet says which is played next, if it says so.
    pub fn next_level(&self) -> Option<u8> {
        let position = self.position.as_ref()?;
        self.store.first_from(position.next_sequence)?.level.map(|level| level.level)
    }

    /// Whether playing has begun; it does when the first packet has waited for the target.
    fn is_time(&mut self, now_ns: u64) -> bool {
        let Some(position) = &self.position else { return false };
        let waited_us =
            now_us(now_ns) - self.ticks_us(position.next_timestamp) - self.delay.fastest_us().unwrap_or(0);
        // A tick may come just before the target; to wait for the next would cost a whole one.
        self.playing |= waited_us + SLACK_US >= self.delay.target_us();
        self.playing
    }

    /// By how much packets wait too long, in microseconds; in a pause it is set right at once.
    fn adjust(&mut self, now_ns: u64, wanted: usize) -> i64 {
        let (Some(position), Some(fastest_us)) = (&self.position, self.delay.fastest_us()) else { return 0 };
        if self.ready_len >= wanted {
            return 0;
        }
        // The last packet that is needed now has waited least.
        let behind = (wanted - self.ready_len - 1) / self.packet_samples * self.packet_samples;
        let last = position.next_timestamp + self.samples_to_ticks(behind);
        let waits_us = now_us(now_ns) - self.ticks_us(last) - fastest_us;
        let error_us = waits_us - self.delay.target_us() - self.for_redundancy_us();
        let first = self.store.first_from(position.next_sequence).map(|slot| slot.timestamp);
        let paused =
            first.map_or(self.silent, |timestamp| self.silent && timestamp > position.next_timestamp);
        let ticks = error_us * i64::from(self.clock_hz / 1000) / 1000;
        let burst = error_us > BURST_US;
        let Some(position) = &mut self.position else { return error_us };
        if paused && error_us.abs() > SLACK_US {
            position.next_timestamp = first.map_or(position.next_timestamp + ticks, |timestamp| {
                (position.next_timestamp + ticks).min(timestamp)
            });
            return 0;
        }
        if burst && first.is_some() {
            // What is older than the target is not worth hearing.
            position.next_timestamp += ticks;
            self.drop_overtaken();
            return 0;
        }
        error_us
    }

    /// What to do about the delay. Packets are taken at ticks only, so their waiting changes by whole ticks: what is
    /// `left` of the last tick's packets is delay without use, and goes; beyond that, a tick too much must wait before
    /// one is taken away.
    fn pace(&self, left: usize, tick: usize, error_us: i64) -> Pace {
        let tick_us = (tick * 1000 / self.rate.per_ms()) as i64;
        let useless = left > self.rate.samples(PERIOD_MS_MAX) && left < tick && error_us >= 0;
        if self.rest > 0 || left >= tick {
            Pace::Keep
        } else if error_us < -SLACK_US {
            Pace::Stretch
        } else if useless || error_us > tick_us + SLACK_US {
            Pace::Shrink
        } else {
            Pace::Keep
        }
    }

    /// What is lost comes back with the next packet only if that is here in time.
    fn for_redundancy_us(&self) -> i64 {
        if (self.redundant || self.folded) && self.loss > LOSS {
            (self.packet_samples * 1000 / self.rate.per_ms()) as i64
        } else {
            0
        }
    }

    /// Drops what is wholly ahead of the time to be played.
    fn drop_overtaken(&mut self) {
        let Some(position) = &mut self.position else { return };
        while let Some(slot) = self.store.first_from(position.next_sequence) {
            if slot.timestamp >= position.next_timestamp {
                break;
            }
            let sequence = slot.sequence;
            position.next_sequence = sequence + 1;
            self.store.remove(sequence);
            self.counters.overflow += 1;
        }
        if let Some(slot) = self.store.first_from(position.next_sequence) {
            position.next_timestamp = slot.timestamp;
        }
    }

    /// The common case: the packet that is due is as long as what is wanted, so it is decoded in place.
    fn decode_whole(&mut self, out: &mut [i16], scratch: &mut Scratch) -> bool {
        let Some(position) = &mut self.position else { return false };
        let sequence = position.next_sequence;
        let Some(slot) = self.store.first_from(sequence) else { return false };
        let Kind::Audio(index) = slot.kind else { return false };
        let audio = &mut self.audio[usize::from(index)];
        let due = slot.sequence == sequence && slot.timestamp == position.next_timestamp;
        if !due || audio.samples(&slot.payload) != Ok(out.len()) || self.current != usize::from(index) {
            return false;
        }
        if audio.decode(&slot.payload, out, &mut scratch.samples).is_err() {
            return false;
        }
        let redundant = self.loss > LOSS && audio.has_redundancy(&slot.payload);
        self.packet_samples = out.len();
        self.advance(sequence + 1, out.len());
        self.note_decoded(redundant);
        self.store.remove(sequence);
        true
    }

    fn note_decoded(&mut self, redundant: bool) {
        self.counters.decoded += 1;
        self.loss -= self.loss * LOSS_STEP;
        self.redundant = redundant;
    }

    pub(super) fn note_lost(&mut self, packets: i64) {
        self.counters.lost += packets.unsigned_abs();
        self.loss = (self.loss + LOSS_STEP * packets.clamp(0, 10) as f32).min(1.0);
    }

    fn advance(&mut self, next_sequence: i64, samples: usize) {
        let ticks = self.samples_to_ticks(samples);
        if let Some(position) = &mut self.position {
            position.next_sequence = next_sequence;
            position.next_timestamp += ticks;
        }
        self.silent = false;
        self.noise_told = false;
        self.invented = 0;
        self.starved = false;
    }

    /// Adds at least one sample to what is ready.
    fn fill(&mut self, wanted: usize, error_us: i64, pace: Pace, scratch: &mut Scratch) -> Step {
        loop {
            let Some(position) = &self.position else { return self.make_noise(wanted) };
            let (next_sequence, next_timestamp) = (position.next_sequence, position.next_timestamp);
            let Some(slot) = self.store.first_from(next_sequence) else {
                return self.fill_without(wanted, error_us, scratch);
            };
            let (sequence, timestamp, kind) = (slot.sequence, slot.timestamp, slot.kind);
            let missing = sequence - next_sequence;
            let gap = self.ticks_to_samples(timestamp - next_timestamp);
            if kind == Kind::Event && missing == 0 {
                self.drop_first(sequence);
                // While keys are pressed, most senders send no audio: a pause, not a loss.
                self.silent = true;
                continue;
            }
            if gap > 0 && (missing == 0 || self.silent) {
                return self.make_noise(gap.min(wanted));
            }
            if gap > 0 {
                return self.fill_missing(gap, sequence, missing, scratch);
            }
            match kind {
                Kind::Event | Kind::Redundant => self.drop_first(next_sequence),
                Kind::Noise => {
                    self.noise.describe(&slot.payload);
                    self.drop_first(sequence);
                    (self.silent, self.noise_told, self.invented) = (true, true, 0);
                    return self.make_noise(wanted);
                }
                Kind::Audio(index) => {
                    if let Some(step) = self.decode_first(usize::from(index), sequence, pace, scratch) {
                        return step;
                    }
                }
            }
        }
    }

    /// Removes a packet, and goes on behind it.
    fn drop_first(&mut self, sequence: i64) {
        self.store.remove(sequence);
        if let Some(position) = &mut self.position {
            position.next_sequence = sequence + 1;
        }
    }

    /// Nothing waits.
    fn fill_without(&mut self, wanted: usize, error_us: i64, scratch: &mut Scratch) -> Step {
        if self.silent {
            return self.make_noise(wanted);
        }
        if !self.starved {
            self.starved = true;
            self.note_lost(1);
        }
        let piece = self.rate.samples(PIECE_MS);
        self.invented += piece;
        let step = self.conceal(piece, scratch);
        // Too little delay: what is invented now is delay won.
        let short = error_us < -SLACK_US;
        let ticks = if short { 0 } else { self.samples_to_ticks(piece) };
        let clock_hz = self.clock_hz;
        if let Some(position) = &mut self.position {
            position.next_timestamp += ticks;
            let behind = position.next_timestamp - position.timestamp;
            self.silent = behind > i64::from(clock_hz / 1000 * GONE_MS);
        }
        step
    }

    /// A later packet waits, the one that is due does not.
    fn fill_missing(&mut self, gap: usize, sequence: i64, missing: i64, scratch: &mut Scratch) -> Step {
        let lost = self.packet_samples.min(gap);
        let Playout { store, audio, ready, ready_len, current, .. } = self;
        let room = &mut ready[*ready_len..][..lost];
        let last = gap <= self.packet_samples;
        let recovered = last
            && store.first_from(sequence).is_some_and(|slot| {
                slot.kind == Kind::Audio(*current as u8)
                    && audio[*current].recover(&slot.payload, room, &mut scratch.samples)
            });
        if recovered {
            self.ready_len += lost;
            self.counters.recovered += 1;
            self.note_lost(1);
            self.advance(sequence, lost);
            return Step::Decoded;
        }
        let piece = self.rate.samples(PIECE_MS);
        // One of those missing is over when the piece ends where a packet would.
        let over =
            gap <= piece || (gap - piece) / self.packet_samples < gap.div_ceil(self.packet_samples) - 1;
        let ends = gap <= piece;
        let ticks = self.samples_to_ticks(piece.min(gap));
        let given_up = if ends { missing } else { i64::from(over && missing > 1) };
        self.note_lost(given_up);
        if let Some(position) = &mut self.position {
            position.next_timestamp += ticks;
            position.next_sequence += given_up;
        }
        self.conceal(piece, scratch)
    }

    /// Decodes the packet that is due; `None` if it is none, and was dropped.
    fn decode_first(
        &mut self,
        index: usize,
        sequence: i64,
        pace: Pace,
        scratch: &mut Scratch,
    ) -> Option<Step> {
        let Playout { store, audio, ready, ready_len, position, .. } = self;
        let (slot, position) = (store.first_from(sequence)?, position.as_mut()?);
        if self.current != index {
            audio[index].reset();
            self.current = index;
        }
        let codec: &mut Audio = &mut audio[index];
        let samples = codec.samples(&slot.payload).unwrap_or(0);
        let end = slot.timestamp + (samples * (self.clock_hz / 1000) as usize / self.rate.per_ms()) as i64;
        if samples > 0 && end <= position.next_timestamp {
            // Overtaken by what was invented in its place.
            self.counters.late += 1;
            self.drop_first(sequence);
            return None;
        }
        let room = &mut ready[*ready_len..];
        let decoded = if samples == 0 || samples > room.len() {
            None
        } else {
            codec.decode(&slot.payload, &mut room[..samples], &mut scratch.samples).ok()
        };
        let timestamp = slot.timestamp;
        let redundant = self.loss > LOSS && codec.has_redundancy(&slot.payload);
        self.store.remove(sequence);
        let Some(samples) = decoded else {
            self.counters.malformed += 1;
            position.next_sequence = sequence + 1;
            return None;
        };
        position.next_timestamp = timestamp;
        self.packet_samples = samples;
        self.note_decoded(redundant);
        let begin = self.ready_len;
        self.ready_len += samples;
        self.advance(sequence + 1, samples);
        self.scale(begin, pace);
        Some(Step::Decoded)
    }

    /// Leaves out or repeats a pitch period of the packet just decoded, if the delay is to change.
    fn scale(&mut self, begin: usize, pace: Pace) {
        if pace == Pace::Keep || self.rest > 0 {
            return;
        }
        let begin = if self.ready_len - begin < self.rate.samples(20) { 0 } else { begin };
        let len = self.ready_len - begin;
        let frame = &mut self.ready[begin..];
        if pace == Pace::Shrink {
            let gone = shrink(self.rate, frame, len);
            self.ready_len -= gone;
            self.counters.shrunk += u64::from(gone > 0);
        } else {
            let more = stretch(self.rate, frame, len);
            self.ready_len += more;
            self.counters.stretched += u64::from(more > 0);
        }
        self.rest = self.rate.samples(REST_MS);
    }

    fn conceal(&mut self, samples: usize, scratch: &mut Scratch) -> Step {
        let Some(audio) = self.audio.get_mut(self.current) else { return self.make_noise(samples) };
        let room = &mut self.ready[self.ready_len..][..samples];
        audio.conceal(room, &mut scratch.samples);
        self.ready_len += samples;
        self.counters.concealed_samples += samples as u64;
        Step::Concealed
    }

    fn make_noise(&mut self, samples: usize) -> Step {
        let samples = samples.clamp(1, self.ready.len() - self.ready_len);
        self.noise.fill(&mut self.ready[self.ready_len..][..samples]);
        self.ready_len += samples;
        let ticks = self.samples_to_ticks(samples);
        if let Some(position) = &mut self.position {
            position.next_timestamp += ticks;
        }
        Step::Noise
    }
}
