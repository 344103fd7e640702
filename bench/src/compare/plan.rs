//! What is sent when, to the byte: source and sink make the same packets from the same plan, so the sink knows what
//! has to come without being told.

use std::time::Duration;

use super::scenario::{Traffic, VOICE_PAYLOAD};

const VOICE_INTERVAL: Duration = Duration::from_millis(20);
const FRAME_INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 30);
/// 1.5 Mb/s at 30 frames a second.
const FRAME_BYTES: usize = 6250;
/// Frames differ by up to this much either way, so that few packets have round sizes.
const FRAME_SPREAD: usize = 1500;
/// The first frame.
const KEY_FRAME_BYTES: usize = 25_000;
/// RTP payload that libwebrtc fills at most, with extensions and tags beside it.
const PACKET_MAX: usize = 1100;
/// VP8: descriptor (RFC 7741 section 4.2), frame tag, start code and size (RFC 6386 section 9.1).
const VP8_PREFIX: usize = 11;
/// Feed and number.
const MARK: usize = 8;

/// One packet of every feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Since the feed began.
    pub(super) at: Duration,
    /// RTP timestamp.
    pub(super) timestamp: u32,
    /// RTP payload in bytes.
    pub(super) len: usize,
    /// RTP marker: the last of a frame.
    pub(super) marker: bool,
    first_of_frame: bool,
    of_key_frame: bool,
}

/// Packets of every feed, in order: a packet's place here is its number.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) packets: Vec<Packet>,
    traffic: Traffic,
}

impl Plan {
    /// Packets for so much time.
    pub(super) fn new(traffic: Traffic, time: Duration) -> Plan {
        let mut packets = Vec::new();
        let (interval, clock) = match traffic {
            Traffic::Voice => (VOICE_INTERVAL, 960),
            Traffic::Video => (FRAME_INTERVAL, 3000),
        };
        let ticks = (time.as_nanos() / interval.as_nanos()) as u32;
        for tick in 0..ticks {
            let sizes = match traffic {
                Traffic::Voice => vec![VOICE_PAYLOAD],
                Traffic::Video => split(frame_bytes(tick)),
            };
            let last = sizes.len() - 1;
            packets.extend(sizes.into_iter().enumerate().map(|(place, len)| Packet {
                at: interval * tick,
                timestamp: tick.wrapping_mul(clock),
                len,
                marker: traffic == Traffic::Video && place == last,
                first_of_frame: place == 0,
                of_key_frame: tick == 0,
            }));
        }
        Plan { packets, traffic }
    }

    /// Mean RTP payload.
    pub(super) fn mean_payload(&self) -> u32 {
        let total: usize = self.packets.iter().map(|packet| packet.len).sum();
        (total / self.packets.len().max(1)) as u32
    }

    /// The RTP payload of a feed's packet, appended.
    pub(super) fn payload(&self, feed: usize, number: usize, out: &mut Vec<u8>) {
        let Some(packet) = self.packets.get(number) else { return };
        let end = out.len() + packet.len;
        if self.traffic == Traffic::Video {
            out.extend_from_slice(&vp8(packet));
        }
        out.extend_from_slice(&(feed as u32).to_be_bytes());
        out.extend_from_slice(&(number as u32).to_be_bytes());
        let mut state = ((feed as u64) << 32) ^ number as u64;
        while out.len() < end {
            // SplitMix64: no two packets are alike, and none compresses to a mistake.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (word ^ (word >> 31)).to_be_bytes();
            out.extend_from_slice(&bytes[..bytes.len().min(end - out.len())]);
        }
    }

    /// The number that a payload claims to have.
    pub(super) fn number(&self, payload: &[u8]) -> Option<usize> {
        let prefix = if self.traffic == Traffic::Video { VP8_PREFIX } else { 0 };
        let mark = payload.get(prefix + MARK / 2..prefix + MARK)?;
        mark.try_into().ok().map(|mark| u32::from_be_bytes(mark) as usize)
    }
}

/// Spread evenly around [`FRAME_BYTES`], the same in every run.
fn frame_bytes(tick: u32) -> usize {
    if tick == 0 {
        return KEY_FRAME_BYTES;
    }
    let spread = (tick as usize).wrapping_mul(7919) % (2 * FRAME_SPREAD);
    FRAME_BYTES - FRAME_SPREAD + spread
}

/// As few packets as hold the frame, k of s bytes and then m of s + 1, as libwebrtc splits.
fn split(frame: usize) -> Vec<usize> {
    let count = frame.div_ceil(PACKET_MAX);
    let (small, larger) = (frame / count, frame % count);
    (0..count).map(|place| if place < count - larger { small } else { small + 1 }).collect()
}

fn vp8(packet: &Packet) -> [u8; VP8_PREFIX] {
    let descriptor = if packet.first_of_frame { 0x10 } else { 0 };
    let not_key = u8::from(!packet.of_key_frame);
    [descriptor, 0x10 | not_key, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_run_of_sizes_and_then_another() {
        assert_eq!(split(6251), vec![1041, 1042, 1042, 1042, 1042, 1042]);
        assert_eq!(split(1100), vec![1100]);
        for tick in 0..300 {
            let sizes = split(frame_bytes(tick));
            assert_eq!(sizes.iter().sum::<usize>(), frame_bytes(tick));
            assert!(sizes.is_sorted() && sizes[sizes.len() - 1] <= PACKET_MAX);
        }
    }

    #[test]
    fn rates_are_as_promised() {
        let second = Duration::from_secs(1);
        assert_eq!(Plan::new(Traffic::Voice, second).packets.len(), 50);
        let video = Plan::new(Traffic::Video, 10 * second);
        let bits: usize = video.packets.iter().map(|packet| packet.len * 8).sum();
        assert!((14_000_000..17_000_000).contains(&bits), "{bits}");
        assert_eq!(video.packets.iter().filter(|packet| packet.marker).count(), 300);
    }

    #[test]
    fn a_payload_is_known_again_and_like_no_other() {
        for traffic in [Traffic::Voice, Traffic::Video] {
            let plan = Plan::new(traffic, Duration::from_secs(1));
            let mut seen = std::collections::HashSet::new();
            for feed in 0..3 {
                for number in 0..plan.packets.len() {
                    let mut payload = Vec::new();
                    plan.payload(feed, number, &mut payload);
                    assert_eq!(payload.len(), plan.packets[number].len);
                    assert_eq!(plan.number(&payload), Some(number));
                    assert!(seen.insert(payload));
                }
            }
        }
        assert_eq!(Plan::new(Traffic::Voice, Duration::from_secs(1)).number(&[1, 2]), None);
    }
}
