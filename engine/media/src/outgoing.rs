//! What is sent: payloads under one continuous sequence and timestamp, whatever they are made of.

use kaname_wire::extension::AudioLevel;

use crate::codec::Codec;
use crate::dtmf::EventPacket;

/// How audio is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SendFormat {
    /// The codec.
    pub codec: Codec,
    /// Its RTP payload type.
    pub payload_type: u8,
    /// Milliseconds of audio in a packet.
    pub ptime_ms: u32,
}

/// Where a stream's numbers begin; the caller draws them at random (RFC 3550 section 5.1), or goes on with those of a
/// stream that this one follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Sequence number of the first packet.
    pub sequence: u16,
    /// Timestamp of the first tick.
    pub timestamp: u32,
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutPacket<'a> {
    /// RTP payload type.
    pub payload_type: u8,
    /// RTP marker: the first packet behind a pause (RFC 3551 section 4.1), or the first of an event.
    pub marker: bool,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// RFC 6464, of the codecs that browsers use.
    pub level: Option<AudioLevel>,
    /// RTP payload.
    pub payload: &'a [u8],
}

/// The numbers of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    sequence: u16,
    timestamp: u32,
    /// How long this tick is.
    ticks: u32,
    paused: bool,
}

impl Outgoing {
    pub(crate) fn new(start: Start) -> Self {
        Outgoing { sequence: start.sequence, timestamp: start.timestamp, ticks: 0, paused: true }
    }

    pub(crate) fn next(&self) -> Start {
        Start { sequence: self.sequence, timestamp: self.timestamp.wrapping_add(self.ticks) }
    }

    /// The timestamp of this tick.
    pub(crate) fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// A packet of audio for this tick.
    pub(crate) fn audio<'a>(
        &mut self,
        payload_type: u8,
        level: Option<AudioLevel>,
        payload: &'a [u8],
    ) -> OutPacket<'a> {
        let marker = std::mem::replace(&mut self.paused, false);
        OutPacket { level, ..self.packet(payload_type, marker, self.timestamp, payload) }
    }

    /// A packet of comfort noise for this tick: a pause begins or goes on.
    pub(crate) fn noise<'a>(&mut self, payload_type: u8, payload: &'a [u8]) -> OutPacket<'a> {
        self.paused = true;
        self.packet(payload_type, false, self.timestamp, payload)
    }

    /// A packet of an event, whose timestamp is that of its beginning.
    pub(crate) fn event<'a>(
        &mut self,
        payload_type: u8,
        event: &EventPacket,
        payload: &'a mut [u8],
    ) -> OutPacket<'a> {
        let payload = &mut payload[..event.payload.len()];
        payload.copy_from_slice(&event.payload);
        self.packet(payload_type, event.marker, event.timestamp, payload)
    }

    fn packet<'a>(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &'a [u8],
    ) -> OutPacket<'a> {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        OutPacket { payload_type, marker, sequence, timestamp, level: None, payload }
    }

    /// Nothing is sent for this tick.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// A tick begins, that long.
    pub(crate) fn tick(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(self.ticks);
        self.ticks = ticks;
    }

    /// So many ticks of that length were left out.
    pub(crate) fn skip(&mut self, count: u32, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks.wrapping_mul(count));
        self.paused = true;
    }
}
