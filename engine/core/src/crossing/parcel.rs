//! One packet on its way between shards, or to and from an audio worker.

use kaname_wire::extension::AudioLevel;

use super::LinkId;
use crate::Time;
use crate::arena::{Buffer, Meta, Span, buffer};
use crate::extensions::{PASSED_COUNT, Passed};
use crate::limits::PARCEL_PAYLOAD;

/// One packet on its way between shards, or room for one: its memory goes round and is allocated once.
pub struct Parcel {
    pub(crate) link: LinkId,
    pub(crate) meta: Meta,
    pub(crate) buffer: Buffer,
}

/// What a [`Parcel`] holds, for those who are no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParcelPacket<'a> {
    /// The sequence number without wraps.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// As the stream's publisher calls it.
    pub payload_type: u8,
    /// The M bit.
    pub marker: bool,
    /// Audio level (RFC 6464): 0 (loudest) to 127, and the voice flag.
    pub level: Option<(u8, bool)>,
    /// When it came in, or was made.
    pub arrival: Time,
    /// Without padding.
    pub payload: &'a [u8],
}

/// Where a level is written, and then the payload.
const LEVEL_AT: u16 = 0;
const PAYLOAD_AT: u16 = 4;

impl Parcel {
    /// An empty one.
    pub fn new() -> Parcel {
        Parcel { link: LinkId(0), meta: Meta::default(), buffer: buffer() }
    }

    /// The link that it goes over.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// The packet in it.
    pub fn packet(&self) -> ParcelPacket<'_> {
        let meta = &self.meta;
        let payload = &self.buffer[usize::from(meta.payload_start)..usize::from(meta.payload_end)];
        let level = meta.extensions[Passed::AudioLevel as usize]
            .and_then(|span| self.buffer.get(usize::from(span.start)..)?.get(..usize::from(span.len)))
            .and_then(AudioLevel::read);
        ParcelPacket {
            sequence: meta.sequence,
            timestamp: meta.timestamp,
            payload_type: meta.payload_type,
            marker: meta.marker,
            level: level.map(|level| (level.level, level.voice)),
            arrival: meta.arrival,
            payload: if meta.padding { without_padding(payload) } else { payload },
        }
    }

    /// Puts a packet in, to be sent over `link`. False: the payload is longer than [`PARCEL_PAYLOAD`], and nothing was
    /// changed.
    #[must_use]
    pub fn write(&mut self, link: LinkId, packet: &ParcelPacket<'_>) -> bool {
        let len = packet.payload.len();
        if len > PARCEL_PAYLOAD {
            return false;
        }
        let start = usize::from(PAYLOAD_AT);
        self.buffer[start..start + len].copy_from_slice(packet.payload);
        let mut extensions = [None; PASSED_COUNT];
        if let Some((level, voice)) = packet.level {
            self.buffer[usize::from(LEVEL_AT)] = level & 0x7f | u8::from(voice) << 7;
            extensions[Passed::AudioLevel as usize] = Some(Span { start: LEVEL_AT, len: 1 });
        }
        self.link = link;
        self.meta = Meta {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            payload_type: packet.payload_type,
            marker: packet.marker,
            payload_start: PAYLOAD_AT,
            payload_end: PAYLOAD_AT + len as u16,
            extensions,
            arrival: packet.arrival,
            ..Meta::default()
        };
        true
    }

    pub(crate) fn fill(&mut self, link: LinkId, meta: &Meta, bytes: &[u8]) {
        let len = usize::from(meta.payload_end);
        self.buffer[..len].copy_from_slice(&bytes[..len]);
        (self.link, self.meta) = (link, *meta);
    }
}

/// RFC 3550 section 5.1: the last octet of the padding counts the padding, itself included.
fn without_padding(payload: &[u8]) -> &[u8] {
    let count = payload.last().map_or(0, |count| usize::from(*count));
    payload.get(..payload.len().saturating_sub(count)).unwrap_or_default()
}

impl Default for Parcel {
    fn default() -> Parcel {
        Parcel::new()
    }
}

impl std::fmt::Debug for Parcel {
    /// Without the plaintext.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parcel").field("link", &self.link).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut parcel = Parcel::new();
        let packet = ParcelPacket {
            sequence: 70_000,
            timestamp: 5,
            payload_type: 8,
            marker: true,
            level: Some((42, true)),
            arrival: Time::from_nanos(7),
            payload: &[9; 160],
        };
        for packet in [packet, ParcelPacket { level: None, payload: &[], ..packet }] {
            assert!(parcel.write(LinkId(3), &packet));
            assert_eq!((parcel.link(), parcel.packet()), (LinkId(3), packet));
        }
        let long = [0; PARCEL_PAYLOAD + 1];
        assert!(!parcel.write(LinkId(4), &ParcelPacket { payload: &long, ..packet }));
        assert_eq!(parcel.link(), LinkId(3));
    }

    #[test]
    fn padding_is_no_payload() {
        let mut parcel = Parcel::new();
        for (bytes, payload) in [(&[1, 2, 0, 2][..], &[1, 2][..]), (&[1, 9], &[]), (&[], &[])] {
            let meta = Meta { padding: true, payload_end: bytes.len() as u16, ..Meta::default() };
            parcel.fill(LinkId(1), &meta, bytes);
            assert_eq!(parcel.packet().payload, payload);
        }
    }
}
