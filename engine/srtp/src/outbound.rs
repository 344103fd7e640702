//! What we send: every index at most once, for as long as the key lives.

use std::collections::HashSet;

use crate::backend::Backend;
use crate::batch::{ProtectJob, SendIndex};
use crate::error::SrtpError;
use crate::index::{SEQ_BITS, estimate_rtp};
use crate::kernel;
use crate::keying::Keying;
use crate::keys::SessionKeys;
use crate::limits::{
    DEFAULT_WINDOW, MAX_OUT_STREAMS, MAX_PACKET, MAX_RETIRED, MAX_RTCP_PACKETS, MAX_RTP_PACKETS,
};
use crate::packet::{rtcp_ssrc, rtp_fields};
use crate::rtcp;
use crate::streams::Streams;
use crate::window::{Seen, Window, window_size};

/// Sizes of an [`Outbound`].
#[derive(Clone, Copy, Debug)]
pub struct OutboundOptions {
    /// How far a sequence number may step back to an index never taken; up to the next power of two within 64 to 4096.
    pub window: usize,
    /// SSRCs sent at most.
    pub max_streams: usize,
}

impl Default for OutboundOptions {
    fn default() -> OutboundOptions {
        OutboundOptions { window: DEFAULT_WINDOW, max_streams: MAX_OUT_STREAMS }
    }
}

/// One SSRC as we send it.
struct Stream {
    /// The lowest index that was never taken before the window began: `roc * 2^16`.
    floor: u64,
    /// The indices taken since; `None` until the first.
    taken: Option<Window>,
    /// The SRTCP index of the next packet.
    next_rtcp: u64,
}

impl Stream {
    // RFC 3711 section 3.2.1: the roll-over counter starts at zero; section 3.4: so does the SRTCP index.
    const NEW: Stream = Stream { floor: 0, taken: None, next_rtcp: 0 };

    /// Takes the index `seq` stands for.
    #[inline]
    fn take(&mut self, seq: u16, size: usize) -> Result<u64, SrtpError> {
        let Some(window) = &mut self.taken else {
            let index = self.floor | u64::from(seq);
            self.taken = Some(Window::starting_at(index, size));
            return Ok(index);
        };
        if let Some(index) = window.mark_next(seq) {
            return Ok(index);
        }
        let index = estimate_rtp(window.highest(), seq).ok_or(SrtpError::KeyExhausted)?;
        // RFC 3711 section 9.1: the same key with the same index is a two-time pad. RFC 7714 section 8.4: with GCM, roll-over counter,
        // sequence number and SSRC MUST be checked by us or by someone equally to be trusted. We check.
        if index < self.floor || window.look(index) != Seen::Fresh {
            return Err(SrtpError::IndexTaken);
        }
        window.mark(index);
        Ok(index)
    }
}

/// One direction of one session, as its sender: keys, and the indices taken of each SSRC. RFC 3711 section 8.1: the sender SHALL count the
/// packets under a master key. What every packet needs stands first and together.
#[repr(C, align(64))]
pub struct Outbound {
    keys: SessionKeys,
    rtp_left: u64,
    streams: Streams<Stream>,
    window: usize,
    rtcp_left: u64,
    retired: HashSet<u32>,
}

impl Outbound {
    /// Derives the session keys and lays them out for `backend`.
    ///
    /// Never make two from the same keying: they would take the same indices.
    pub fn new(backend: Backend, keying: &Keying) -> Outbound {
        Outbound::with_options(backend, keying, OutboundOptions::default())
    }

    /// The same with other sizes.
    pub fn with_options(backend: Backend, keying: &Keying, options: OutboundOptions) -> Outbound {
        Outbound::from_keys(SessionKeys::new(backend, keying), options)
    }

    pub(crate) fn from_keys(keys: SessionKeys, options: OutboundOptions) -> Outbound {
        Outbound {
            keys,
            window: window_size(options.window),
            streams: Streams::new(options.max_streams),
            retired: HashSet::new(),
            rtp_left: MAX_RTP_PACKETS,
            rtcp_left: MAX_RTCP_PACKETS,
        }
    }

    /// The session keys.
    #[inline]
    pub fn keys(&self) -> &SessionKeys {
        &self.keys
    }

    /// Bytes a packet grows by when protected.
    #[inline]
    pub fn rtp_overhead(&self) -> usize {
        self.keys.rtp_overhead()
    }

    /// Bytes an RTCP packet grows by when protected.
    pub fn rtcp_overhead(&self) -> usize {
        self.keys.rtcp_overhead()
    }

    /// Takes the index of the packet `seq` of `ssrc`: once, for ever. The sequence number may step back inside the window to
    /// an index that was never taken. What must be sent again (RTX) goes out under its own SSRC and sequence number.
    ///
    /// # Errors
    /// [`SrtpError::IndexTaken`], [`SrtpError::Retired`], [`SrtpError::TooManyStreams`], [`SrtpError::KeyExhausted`].
    #[inline]
    pub fn take_rtp(&mut self, ssrc: u32, seq: u16) -> Result<SendIndex, SrtpError> {
        // RFC 3711 section 9.2: at most 2^48 SRTP packets under one master key, then the key MUST NOT be used any more. RFC 7714
        // sections 8.4 and 13.1: processing MUST cease before the index comes back to where it began.
        let left = self.rtp_left.checked_sub(1).ok_or(SrtpError::KeyExhausted)?;
        let next = self.streams.first(ssrc).and_then(|stream| stream.taken.as_mut()?.mark_next(seq));
        let index = match next {
            Some(index) => index,
            None => self.take_any(ssrc, seq)?,
        };
        self.rtp_left = left;
        Ok(SendIndex { session: self.keys.id(), ssrc, index })
    }

    /// The index `seq` of `ssrc` stands for, whatever the SSRC's place and the order of its packets.
    #[inline(never)]
    fn take_any(&mut self, ssrc: u32, seq: u16) -> Result<u64, SrtpError> {
        let size = self.window;
        self.stream(ssrc)?.take(seq, size)
    }

    /// The latency path: takes the index the header names and protects one packet. Gives the bytes written to `out`,
    /// which needs at least `header.len() + payload.len() + rtp_overhead()`.
    ///
    /// # Errors
    /// Those of [`Outbound::take_rtp`] and [`ProtectJob::new`]; nothing is written and no index taken then.
    pub fn protect_rtp(&mut self, header: &[u8], payload: &[u8], out: &mut [u8]) -> Result<usize, SrtpError> {
        let fields = rtp_fields(header, 0).map_err(|_| SrtpError::HeaderMismatch)?;
        if fields.header_len != header.len() {
            return Err(SrtpError::HeaderMismatch);
        }
        let len = header.len() + payload.len() + self.rtp_overhead();
        if len > MAX_PACKET {
            return Err(SrtpError::Length);
        }
        let out = out.get_mut(..len).ok_or(SrtpError::Output)?;
        let index = self.take_rtp(fields.ssrc, fields.seq)?;
        // All that `ProtectJob::new` checks was checked above.
        let mut job = ProtectJob { keys: &self.keys, index, header, payload, out };
        kernel::protect(&self.keys, std::slice::from_mut(&mut job), &[0]);
        Ok(len)
    }

    /// Protects one RTCP packet (compound or not) under the next SRTCP index of its sender's SSRC. Gives the bytes written
    /// to `out`, which needs at least `packet.len() + rtcp_overhead()`.
    ///
    /// # Errors
    /// [`SrtpError::Length`], [`SrtpError::Header`], [`SrtpError::Output`], [`SrtpError::Retired`],
    /// [`SrtpError::TooManyStreams`], [`SrtpError::KeyExhausted`]; nothing is written and no index taken then.
    pub fn protect_rtcp(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet, 0)?;
        let len = packet.len() + self.rtcp_overhead();
        if len > MAX_PACKET {
            return Err(SrtpError::Length);
        }
        let out = out.get_mut(..len).ok_or(SrtpError::Output)?;
        // RFC 3711 section 9.2, RFC 7714 section 10: at most 2^31 SRTCP packets under one master key.
        let left = self.rtcp_left.checked_sub(1).ok_or(SrtpError::KeyExhausted)?;
        let stream = self.stream(ssrc)?;
        let index = stream.next_rtcp;
        // RFC 7714 sections 9.4 and 13.1: processing MUST cease before the 31-bit index comes back to where it began.
        if index >= MAX_RTCP_PACKETS {
            return Err(SrtpError::KeyExhausted);
        }
        // RFC 3711 section 3.4: the index MUST be incremented by one after each SRTCP packet.
        stream.next_rtcp = index + 1;
        self.rtcp_left = left;
        rtcp::seal(&self.keys, ssrc, index, &[], packet, out);
        Ok(len)
    }

    /// The roll-over counter of an SSRC, if it has state.
    pub fn roc(&self, ssrc: u32) -> Option<u32> {
        let stream = self.streams.get(ssrc)?;
        let highest = stream.taken.as_ref().map_or(stream.floor, Window::highest);
        Some((highest >> SEQ_BITS) as u32)
    }

    /// Lets the next packet of this SSRC have this roll-over counter; every index below it counts as taken.
    ///
    /// # Errors
    /// [`SrtpError::IndexTaken`] if an index of this or a later counter was taken already, [`SrtpError::Retired`],
    /// [`SrtpError::TooManyStreams`].
    pub fn set_roc(&mut self, ssrc: u32, roc: u32) -> Result<(), SrtpError> {
        let stream = self.stream(ssrc)?;
        let floor = u64::from(roc) << SEQ_BITS;
        let taken = stream.taken.as_ref().map_or(stream.floor, |window| window.highest() + 1);
        if floor < taken {
            return Err(SrtpError::IndexTaken);
        }
        stream.floor = floor;
        stream.taken = None;
        Ok(())
    }

    /// Lets the next RTCP packet of this SSRC have this index; every index below it counts as taken.
    ///
    /// # Errors
    /// [`SrtpError::IndexTaken`] if it or a later one was taken already, [`SrtpError::KeyExhausted`] past 31 bits,
    /// [`SrtpError::Retired`], [`SrtpError::TooManyStreams`].
    pub fn set_rtcp_index(&mut self, ssrc: u32, index: u32) -> Result<(), SrtpError> {
        let index = u64::from(index);
        if index >= MAX_RTCP_PACKETS {
            return Err(SrtpError::KeyExhausted);
        }
        let stream = self.stream(ssrc)?;
        if index < stream.next_rtcp {
            return Err(SrtpError::IndexTaken);
        }
        stream.next_rtcp = index;
        Ok(())
    }

    /// Ends an SSRC: its window is freed and its indices, SRTP and SRTCP, stay taken for as long as the key lives. An SSRC
    /// that went and came back would otherwise start at index 0 again, under the same key.
    ///
    /// # Errors
    /// [`SrtpError::KeyExhausted`] if too many were retired under this key; the SSRC then keeps its state.
    pub fn retire_ssrc(&mut self, ssrc: u32) -> Result<(), SrtpError> {
        if self.streams.get(ssrc).is_some() {
            if self.retired.len() >= MAX_RETIRED {
                return Err(SrtpError::KeyExhausted);
            }
            self.streams.remove(ssrc);
            self.retired.insert(ssrc);
        }
        Ok(())
    }

    #[inline]
    fn stream(&mut self, ssrc: u32) -> Result<&mut Stream, SrtpError> {
        match self.streams.find(ssrc) {
            Some(slot) => self.streams.at(slot).ok_or(SrtpError::TooManyStreams),
            None => self.begin(ssrc),
        }
    }

    #[cold]
    fn begin(&mut self, ssrc: u32) -> Result<&mut Stream, SrtpError> {
        // RFC 7714 section 8.4: a history of SSRCs MUST be kept for the lifetime of the key, and none in it MUST be given out again.
        if self.retired.contains(&ssrc) {
            return Err(SrtpError::Retired);
        }
        self.streams.insert(ssrc, Stream::NEW)
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("keys", &self.keys).finish_non_exhaustive()
    }
}
