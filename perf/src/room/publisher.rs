//! Makes the packets that come in: protected, in frames, with the header extensions of a browser.

use kaname_srtp::{Keying, Outbound};
use kaname_wire::extension::Element;
use kaname_wire::path::Path;
use kaname_wire::rtp::HeaderBuilder;

use super::peers::{EXTENSIONS, PAYLOAD_TYPE, SSRC};
use super::{Plan, Shape};

/// Bytes of a header at most: the fixed part and our extensions.
const HEADER_MAX: usize = 64;

/// The publisher and its latest frame.
pub struct Publisher {
    /// Where it sends from.
    pub path: Path,
    outbound: Outbound,
    shape: Shape,
    frames: u32,
    packets: u16,
    /// The frame's packets in one piece, and where each ends.
    wire: Vec<u8>,
    ends: Vec<usize>,
    /// The frame's payloads, as subscribers shall see them.
    payloads: Vec<Vec<u8>>,
}

impl Publisher {
    pub(super) fn new(plan: &Plan<'_>, path: Path, keying: &Keying) -> Publisher {
        Publisher {
            path,
            outbound: Outbound::new(plan.backend, keying),
            shape: plan.shape,
            frames: 0,
            packets: 0,
            wire: Vec::new(),
            ends: Vec::new(),
            payloads: vec![Vec::new(); plan.shape.frame],
        }
    }

    /// The packets of the latest frame, as they are on the wire.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.wire[begin..*end])
    }

    /// All of them in one piece.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The payloads of the latest frame.
    pub fn payloads(&self) -> &[Vec<u8>] {
        &self.payloads
    }

    pub(super) fn next_frame(&mut self) {
        self.wire.clear();
        self.ends.clear();
        let ticks = if self.shape.is_voice() { 960 } else { 3000 };
        for place in 0..self.shape.frame {
            self.packets = self.packets.wrapping_add(1);
            let transport = self.packets.to_be_bytes();
            let [mid, level, transport_cc] =
                [EXTENSIONS.mid, EXTENSIONS.audio_level, EXTENSIONS.transport_cc]
                    .map(Option::unwrap_or_default);
            let mut extensions =
                vec![Element { id: mid, data: b"0" }, Element { id: transport_cc, data: &transport }];
            if self.shape.is_voice() {
                extensions.push(Element { id: level, data: &[0x85] });
            }
            let mut header = [0; HEADER_MAX];
            let len = HeaderBuilder {
                // The first of a talk spurt, the last of a picture.
                marker: if self.shape.is_voice() { self.frames == 0 } else { place + 1 == self.shape.frame },
                payload_type: PAYLOAD_TYPE,
                sequence: self.packets,
                timestamp: self.frames.wrapping_mul(ticks),
                ssrc: SSRC,
                extensions: &extensions,
                ..HeaderBuilder::default()
            }
            .write(&mut header)
            .expect("room for three extensions");
            let payload = &mut self.payloads[place];
            payload.resize(self.shape.len(place) - len, 0);
            fill(payload, self.frames, place, self.shape.is_voice());
            let begin = self.wire.len();
            self.wire.resize(begin + len + payload.len() + self.outbound.rtp_overhead(), 0);
            self.outbound
                .protect_rtp(&header[..len], payload, &mut self.wire[begin..])
                .expect("an index that was never used");
            self.ends.push(self.wire.len());
        }
        self.frames += 1;
    }
}

/// A payload that differs from packet to packet; of a picture, with the VP8 descriptor (RFC 7741) in front.
fn fill(payload: &mut [u8], frame: u32, place: usize, is_voice: bool) {
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte = (at as u32 * 7 + frame * 13 + place as u32 * 31) as u8;
    }
    if is_voice {
        return;
    }
    // Start of partition 0, then the frame tag: bit 0 is zero in key frames, which go on with a start code.
    let key_frame = [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0];
    match (place, frame) {
        (0, 0) => payload[..key_frame.len()].copy_from_slice(&key_frame),
        (0, _) => payload[..2].copy_from_slice(&[0x10, 0x11]),
        _ => payload[0] = 0,
    }
}
