//! One stream as a publisher of the fleet sends it.

use std::sync::Arc;

use kaname_wire::extension::{AudioLevel, Element};
use kaname_wire::payload::rtx;
use kaname_wire::rtp::HeaderBuilder;

use super::client::Client;
use super::limits::{PACKET_LEN, SENT_KEPT};
use super::sdp::{EXT_AUDIO_LEVEL, EXT_TRANSPORT_CC, Kind, PT_H264, PT_OPUS, PT_RTX};
use super::source::{Burst, Plan};
use super::stamp::Stamp;
use super::tally::Span;

/// One stream.
pub(super) struct Stream {
    /// Who sends it.
    pub(super) client: u32,
    pub(super) plan: Plan,
    pub(super) span: Arc<Span>,
    pub(super) ssrc: u32,
    pub(super) rtx_ssrc: u32,
    pub(super) payload_type: u8,
    /// Packets and payload bytes sent so far.
    pub(super) sent: u64,
    pub(super) octets: u64,
    pub(super) timestamp: u32,
    /// RTP sequence number of packet 0, and of the next repair.
    first_sequence: u16,
    rtx_sequence: u16,
    /// Payloads and timestamps of the last packets of a video stream, by index modulo the ring.
    kept: Vec<(u64, u32, bool, Vec<u8>)>,
}

/// Packets made ready to be sent, one behind the other.
#[derive(Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Outgoing {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn packets(&self) -> Vec<&[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]).collect()
    }

    fn push(&mut self, client: &mut Client, header: &[u8], payload: &[u8]) {
        let start = self.bytes.len();
        if client.plain {
            self.bytes.extend_from_slice(header);
            self.bytes.extend_from_slice(payload);
            self.ends.push(self.bytes.len());
            return;
        }
        let Some(outbound) = &mut client.outbound else { return };
        self.bytes.resize(start + header.len() + payload.len() + outbound.rtp_overhead(), 0);
        match outbound.protect_rtp(header, payload, &mut self.bytes[start..]) {
            Ok(len) => {
                self.bytes.truncate(start + len);
                self.ends.push(self.bytes.len());
            }
            Err(_) => self.bytes.truncate(start),
        }
    }
}

impl Stream {
    pub(super) fn new(number: u32, client: u32, plan: Plan, random: u64) -> Stream {
        let payload_type = if plan.kind() == Kind::Audio { PT_OPUS } else { PT_H264 };
        Stream {
            client,
            plan,
            span: Arc::default(),
            // Low bits by number: no two of a run are alike.
            ssrc: 0x1000_0000 | number << 1,
            rtx_ssrc: 0x1000_0001 | number << 1,
            payload_type,
            sent: 0,
            octets: 0,
            timestamp: random as u32,
            first_sequence: (random >> 32) as u16,
            rtx_sequence: (random >> 48) as u16,
            kept: Vec::new(),
        }
    }

    /// Makes the packets of a burst. `clock_ns` is read for each: a stamp says when its own packet was ready.
    pub(super) fn burst(
        &mut self,
        burst: &Burst,
        (run, number): (u32, u32),
        client: &mut Client,
        clock_ns: fn() -> u64,
        outgoing: &mut Outgoing,
    ) {
        let mut payload = [0; PACKET_LEN];
        let sizes: Vec<u16> = self.plan.sizes().to_vec();
        for (at, size) in sizes.iter().enumerate() {
            let payload = &mut payload[..usize::from(*size)];
            let stamp = Stamp { run, stream: number, index: self.sent, sent_ns: clock_ns() };
            self.plan.write(at, burst, &stamp, payload);
            let marker = self.plan.kind() == Kind::Video && at + 1 == sizes.len();
            self.timestamp = burst.timestamp;
            let (ssrc, sequence) = (self.ssrc, self.first_sequence.wrapping_add(self.sent as u16));
            self.packet(
                client,
                (ssrc, self.payload_type, sequence, burst.timestamp, marker),
                payload,
                outgoing,
            );
            self.keep(burst.timestamp, marker, payload);
            self.sent += 1;
            self.octets += u64::from(*size);
        }
    }

    fn packet(
        &self,
        client: &mut Client,
        (ssrc, payload_type, sequence, timestamp, marker): (u32, u8, u16, u32, bool),
        payload: &[u8],
        outgoing: &mut Outgoing,
    ) {
        let transport = client.transport_sequence.to_be_bytes();
        client.transport_sequence = client.transport_sequence.wrapping_add(1);
        let level = AudioLevel { level: 30, voice: true }.write();
        let elements = [
            Element { id: EXT_TRANSPORT_CC, data: &transport },
            Element { id: EXT_AUDIO_LEVEL, data: &level },
        ];
        let extensions = match self.plan.kind() {
            _ if client.plain => &[][..],
            Kind::Audio => &elements[..],
            Kind::Video => &elements[..1],
        };
        let builder = HeaderBuilder {
            marker,
            padding: false,
            payload_type,
            sequence,
            timestamp,
            ssrc,
            csrcs: &[],
            extensions,
        };
        let mut header = [0; 64];
        if let Ok(len) = builder.write(&mut header) {
            outgoing.push(client, &header[..len], payload);
        }
    }

    fn keep(&mut self, timestamp: u32, marker: bool, payload: &[u8]) {
        if self.plan.kind() == Kind::Audio {
            return;
        }
        let at = self.sent as usize % SENT_KEPT;
        if self.kept.len() <= at {
            self.kept.resize_with(at + 1, || (u64::MAX, 0, false, Vec::new()));
        }
        let (index, of, last, bytes) = &mut self.kept[at];
        (*index, *of, *last) = (self.sent, timestamp, marker);
        bytes.clear();
        bytes.extend_from_slice(payload);
    }

    /// Sends a packet again (RFC 4588 section 4), if it is still kept. `true` if it is.
    pub(super) fn repair(&mut self, sequence: u16, client: &mut Client, outgoing: &mut Outgoing) -> bool {
        let behind =
            self.first_sequence.wrapping_add(self.sent as u16).wrapping_sub(1).wrapping_sub(sequence);
        let Some(index) = self.sent.checked_sub(1 + u64::from(behind)) else { return false };
        let at = index as usize % SENT_KEPT;
        let Some((_, timestamp, marker, bytes)) = self.kept.get(at).filter(|k| k.0 == index) else {
            return false;
        };
        let mut payload = [0; PACKET_LEN];
        let Some(len) = rtx::write(&mut payload, sequence, bytes) else { return false };
        let fields = (self.rtx_ssrc, PT_RTX, self.rtx_sequence, *timestamp, *marker);
        self.packet(client, fields, &payload[..len], outgoing);
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        true
    }
}
