//! What a publisher sends, and when: sizes and times of packets, as real encoders make them.

use super::limits::MAX_PAYLOAD;
use super::scenario::{Pattern, Source};
use super::sdp::Kind;
use super::stamp::{self, Stamp};

/// Ticks a second of the RTP clocks of sound and pictures.
const AUDIO_CLOCK: u64 = 48_000;
const VIDEO_CLOCK: u64 = 90_000;
/// RFC 6184 section 5.8: indicator of a fragment, and what follows it at the start of a key frame and of another one.
const FRAGMENT: u8 = 0x7c;
const IDR_SLICE: u8 = 5;
const SLICE: u8 = 1;
const FIRST_SLICE: u8 = 0x88;

/// The plan of one stream: when its next burst is due, and how large its packets are.
pub(super) struct Plan {
    source: Source,
    /// Bursts (packets of sound, frames of video) so far.
    bursts: u64,
    first_ns: u64,
    want_key_frame: bool,
    key_frame_ns: u64,
    /// Bits that frames were short of, carried to the next.
    rest_bits: u64,
    sizes: Vec<u16>,
}

/// A burst that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    /// On the stream's RTP clock.
    pub(super) timestamp: u32,
    /// When it was due.
    pub(super) due_ns: u64,
    pub(super) key_frame: bool,
}

impl Plan {
    pub(super) fn new(source: Source, first_ns: u64) -> Plan {
        Plan {
            source,
            bursts: 0,
            first_ns,
            want_key_frame: true,
            key_frame_ns: first_ns,
            rest_bits: 0,
            sizes: Vec::new(),
        }
    }

    /// Begins now, at a moment of the first interval that `random` chooses.
    pub(super) fn begin(&mut self, now_ns: u64, random: u64) {
        self.first_ns = now_ns + random % (1_000_000_000 / self.rate());
        self.key_frame_ns = self.first_ns;
    }

    pub(super) fn kind(&self) -> Kind {
        self.source.kind()
    }

    fn rate(&self) -> u64 {
        match self.source {
            Source::Voice { rate, .. } => rate.into(),
            Source::Video { frames, .. } => frames.into(),
        }
    }

    /// When the next burst is due, nanoseconds since 1970.
    pub(super) fn due_ns(&self) -> u64 {
        self.first_ns + self.bursts * 1_000_000_000 / self.rate()
    }

    /// The next frame is a key frame.
    pub(super) fn want_key_frame(&mut self) {
        self.want_key_frame = true;
    }

    /// Takes the next burst; the payload sizes of its packets are in [`Plan::sizes`] then.
    pub(super) fn next(&mut self) -> Burst {
        let due_ns = self.due_ns();
        let clock = if self.kind() == Kind::Audio { AUDIO_CLOCK } else { VIDEO_CLOCK };
        let timestamp = (self.bursts * clock / self.rate()) as u32;
        self.bursts += 1;
        self.sizes.clear();
        let mut key_frame = false;
        match self.source {
            Source::Voice { payload, .. } => self.sizes.push(payload),
            Source::Video { bits_per_second, frames, key_frame_packets, key_frame_seconds, pattern } => {
                let timed = key_frame_seconds > 0
                    && due_ns >= self.key_frame_ns + u64::from(key_frame_seconds) * 1_000_000_000;
                key_frame = std::mem::take(&mut self.want_key_frame) || timed;
                if key_frame {
                    self.key_frame_ns = due_ns;
                }
                self.rest_bits += u64::from(bits_per_second);
                let bytes = (self.rest_bits / u64::from(frames) / 8) as usize;
                self.rest_bits -= bytes as u64 * 8 * u64::from(frames);
                if key_frame && key_frame_packets > 0 {
                    self.sizes.resize(key_frame_packets.into(), MAX_PAYLOAD.min(full(pattern)));
                } else {
                    split(bytes, pattern, &mut self.sizes);
                }
            }
        }
        Burst { timestamp, due_ns, key_frame }
    }

    /// Payload sizes of the burst taken last.
    pub(super) fn sizes(&self) -> &[u16] {
        &self.sizes
    }

    /// Writes one packet's payload of the burst taken last: what a node looks at, then the stamp.
    pub(super) fn write(&self, at: usize, burst: &Burst, stamp: &Stamp, payload: &mut [u8]) {
        if self.kind() == Kind::Video {
            let unit = if burst.key_frame { IDR_SLICE } else { SLICE };
            let start = u8::from(at == 0) << 7;
            let end = u8::from(at + 1 == self.sizes.len()) << 6;
            payload[..stamp::PREFIX].copy_from_slice(&[FRAGMENT, start | end | unit, FIRST_SLICE]);
        } else {
            // Opus, 20 ms of speech by its table-of-contents byte (RFC 6716 section 3.1).
            payload[..stamp::PREFIX].copy_from_slice(&[0x78, 0, 0]);
        }
        stamp.write(payload);
    }
}

fn full(pattern: Pattern) -> u16 {
    match pattern {
        Pattern::Libwebrtc => MAX_PAYLOAD - 50,
        Pattern::Full(payload) | Pattern::Fixed { payload, .. } => payload,
    }
}

/// Payload sizes of a frame.
fn split(bytes: usize, pattern: Pattern, sizes: &mut Vec<u16>) {
    let least = stamp::LEN;
    match pattern {
        Pattern::Fixed { packets, payload } => sizes.resize(packets.into(), payload),
        Pattern::Full(payload) => {
            let (whole, crumb) = (bytes / usize::from(payload), bytes % usize::from(payload));
            sizes.resize(whole, payload);
            if crumb > 0 || whole == 0 {
                sizes.push(crumb.max(least) as u16);
            }
        }
        Pattern::Libwebrtc => {
            // As few packets as hold the frame, as equal as can be: the larger ones come last.
            let packets = bytes.div_ceil(full(pattern).into()).max(1);
            let (size, larger) = (bytes / packets, bytes % packets);
            sizes.extend((0..packets).map(|i| (size + usize::from(i >= packets - larger)).max(least) as u16));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(pattern: Pattern) -> Source {
        Source::Video {
            bits_per_second: 2_500_000,
            frames: 30,
            key_frame_packets: 100,
            key_frame_seconds: 2,
            pattern,
        }
    }

    #[test]
    fn frames_have_the_sizes_of_libwebrtc() {
        let mut plan = Plan::new(video(Pattern::Libwebrtc), 0);
        assert!(plan.next().key_frame);
        assert_eq!(plan.sizes(), [1150; 100]);
        let mut total = 0;
        for _ in 0..58 {
            assert!(!plan.next().key_frame);
            let (first, last) = (plan.sizes()[0], plan.sizes()[plan.sizes().len() - 1]);
            assert!(last - first <= 1 && plan.sizes().is_sorted(), "{:?}", plan.sizes());
            total += plan.sizes().iter().map(|s| usize::from(*s)).sum::<usize>();
        }
        let mean = total as f64 / 58.0;
        assert!((mean - 2_500_000.0 / 8.0 / 30.0).abs() < 1.0, "{mean}");
        assert!(!plan.next().key_frame);
        assert!(plan.next().key_frame, "every two seconds");
    }

    #[test]
    fn time_does_not_drift() {
        let mut plan = Plan::new(Source::Voice { payload: 80, rate: 50 }, 5);
        for _ in 0..50 {
            plan.next();
        }
        assert_eq!(plan.due_ns(), 1_000_000_005);
        assert_eq!(plan.next().timestamp, 48_000);
        assert_eq!(plan.sizes(), [80]);
    }

    #[test]
    fn fixed_and_full_frames() {
        let mut sizes = Vec::new();
        split(3000, Pattern::Full(1200), &mut sizes);
        assert_eq!(sizes, [1200, 1200, 600]);
        sizes.clear();
        split(9, Pattern::Fixed { packets: 7, payload: 1200 }, &mut sizes);
        assert_eq!(sizes, [1200; 7]);
    }
}
