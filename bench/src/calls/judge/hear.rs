//! What was kept of a stream, decoded.

use kaname_media::Rate;
use kaname_media::codec::Codecs;

use crate::calls::case::Sound;

/// A packet that was kept for judging.
#[derive(Clone, Debug)]
pub(in crate::calls) struct Kept {
    /// Its number without wrapping.
    pub(in crate::calls) number: u64,
    pub(in crate::calls) timestamp: u32,
    /// By the receiving kernel.
    pub(in crate::calls) at_ns: u64,
    pub(in crate::calls) payload: Vec<u8>,
}

/// Sound as it came, at its places by RTP timestamps; zeros where nothing came.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) samples: Vec<f32>,
    /// The first sample of each packet and when it came.
    pub(super) arrivals: Vec<(usize, u64)>,
    /// Packets that could not be decoded, or stood nowhere in the time of the window.
    pub(super) undecodable: u64,
}

/// Orders packets and takes copies out.
pub(super) fn ordered(kept: &[Kept]) -> Vec<&Kept> {
    let mut packets: Vec<&Kept> = kept.iter().collect();
    packets.sort_by_key(|packet| packet.number);
    packets.dedup_by_key(|packet| packet.number);
    packets
}

/// The place of a packet in the window.
fn place(first: u32, packet: &Kept, sound: Sound, rate: Rate) -> Option<usize> {
    let ticks = packet.timestamp.wrapping_sub(first) as i32;
    let place = i64::from(ticks) * i64::from(rate.hz()) / i64::from(sound.clock_hz());
    usize::try_from(place).ok()
}

/// Decodes ordered packets.
pub(super) fn decode(packets: &[&Kept], sound: Sound) -> Heard {
    let rate = sound.judged_at();
    let mut heard = Heard::default();
    let (Some(first), Ok(mut decoder)) = (packets.first(), Codecs::built_in().decoder(sound.codec(), rate))
    else {
        return heard;
    };
    // A timestamp far off its packet's number is no place to make room for.
    let longest = rate.samples(20) * (packets.len() * 2 + 100);
    let mut out = vec![0i16; rate.samples(120)];
    for packet in packets {
        let place = place(first.timestamp, packet, sound, rate).filter(|place| *place < longest);
        let (Some(place), Ok(count)) = (place, decoder.decode(&packet.payload, &mut out)) else {
            heard.undecodable += 1;
            continue;
        };
        heard.put(place, &out[..count]);
        heard.arrivals.push((place, packet.at_ns));
    }
    heard
}

impl Heard {
    /// Samples of a decoder that gave all of them at once.
    pub(super) fn whole(samples: &[i16]) -> Heard {
        let mut heard = Heard::default();
        heard.put(0, samples);
        heard
    }

    fn put(&mut self, place: usize, samples: &[i16]) {
        let end = place + samples.len();
        if self.samples.len() < end {
            self.samples.resize(end, 0.0);
        }
        for (own, sample) in self.samples[place..end].iter_mut().zip(samples) {
            *own = f32::from(*sample);
        }
    }
}
