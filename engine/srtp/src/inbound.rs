//! What a peer sends: index estimation, replay protection, and no change of state ahead of authentication.

use crate::backend::Backend;
use crate::batch::{Authentic, RtpTicket, UnprotectJob};
use crate::error::SrtpError;
use crate::index::{SEQ_BITS, estimate_rtp};
use crate::kernel;
use crate::keying::Keying;
use crate::keys::SessionKeys;
use crate::limits::{DEFAULT_WINDOW, MAX_STREAMS};
use crate::packet::rtp_fields;
use crate::rtcp;
use crate::streams::Streams;
use crate::window::{Seen, Window, window_size};

/// Sizes of an [`Inbound`].
#[derive(Clone, Copy, Debug)]
pub struct InboundOptions {
    /// Replay window in packets; taken up to the next power of two within 64 to 4096.
    pub window: usize,
    /// SSRCs followed at most.
    pub max_streams: usize,
}

impl Default for InboundOptions {
    fn default() -> InboundOptions {
        InboundOptions { window: DEFAULT_WINDOW, max_streams: MAX_STREAMS }
    }
}

/// One SSRC as we receive it.
enum Stream {
    /// Nothing authenticated yet; the roll-over counter was told to us.
    Told { roc: u32 },
    /// The indices received so far.
    Running(Window),
}

/// One direction of one session, as its receiver: keys, and roll-over counter and replay window of each SSRC.
///
/// An SSRC gets state with its first authentic packet, so a stranger cannot make it grow.
#[repr(C, align(64))]
pub struct Inbound {
    keys: SessionKeys,
    window: usize,
    rtp: Streams<Stream>,
    rtcp: Streams<Window>,
}

impl Inbound {
    /// Derives the session keys and lays them out for `backend`.
    pub fn new(backend: Backend, keying: &Keying) -> Inbound {
        Inbound::with_options(backend, keying, InboundOptions::default())
    }

    /// The same with other sizes.
    pub fn with_options(backend: Backend, keying: &Keying, options: InboundOptions) -> Inbound {
        Inbound::from_keys(SessionKeys::new(backend, keying), options)
    }

    pub(crate) fn from_keys(keys: SessionKeys, options: InboundOptions) -> Inbound {
        Inbound {
            keys,
            window: window_size(options.window),
            rtp: Streams::new(options.max_streams),
            rtcp: Streams::new(options.max_streams),
        }
    }

    /// The session keys.
    #[inline]
    pub fn keys(&self) -> &SessionKeys {
        &self.keys
    }

    /// Phase 1: looks at a packet, estimates its index and asks the replay window. Changes nothing.
    ///
    /// # Errors
    /// [`SrtpError::Length`], [`SrtpError::Header`], [`SrtpError::Replayed`], [`SrtpError::TooOld`],
    /// [`SrtpError::TooManyStreams`], [`SrtpError::KeyExhausted`].
    #[inline]
    pub fn prepare_rtp(&self, packet: &[u8]) -> Result<RtpTicket, SrtpError> {
        let overhead = self.keys.rtp_overhead();
        let fields = rtp_fields(packet, overhead)?;
        // RFC 3711 section 3.3 step 2: determine the index from roll-over counter, highest and received sequence number. The one
        // behind the highest is always the nearest, and no replay.
        let next = match self.rtp.look_first(fields.ssrc) {
            Some(Stream::Running(window)) => window.next(fields.seq),
            _ => None,
        };
        let index = match next {
            Some(index) => index,
            None => self.index_any(fields.ssrc, fields.seq)?,
        };
        Ok(RtpTicket {
            session: self.keys.id(),
            ssrc: fields.ssrc,
            index,
            // All fit: a packet has at most 65,535 bytes.
            header_len: fields.header_len as u32,
            plain_len: (packet.len() - overhead) as u32,
        })
    }

    /// The index of a packet, whatever the SSRC's place and the order of its packets.
    #[inline(never)]
    fn index_any(&self, ssrc: u32, seq: u16) -> Result<u64, SrtpError> {
        match self.rtp.get(ssrc) {
            // RFC 3711 section 3.2.1: the roll-over counter starts at zero.
            None => {
                self.rtp.room()?;
                Ok(u64::from(seq))
            }
            Some(&Stream::Told { roc }) => Ok((u64::from(roc) << SEQ_BITS) | u64::from(seq)),
            Some(Stream::Running(window)) => {
                let index = estimate_rtp(window.highest(), seq).ok_or(SrtpError::KeyExhausted)?;
                // RFC 3711 section 3.3 step 5: check if the packet has been replayed, before the tag.
                fresh(window, index)?;
                Ok(index)
            }
        }
    }

    /// Phase 3: after a good tag, takes the index into the window and moves the roll-over counter. The window is asked
    /// again: two copies of one packet may have been in the same batch.
    ///
    /// # Errors
    /// [`SrtpError::Replayed`], [`SrtpError::TooOld`], [`SrtpError::TooManyStreams`], and [`SrtpError::WrongSession`] if
    /// the packet was authenticated under other keys. The caller then drops the packet.
    #[inline]
    pub fn commit_rtp(&mut self, packet: Authentic) -> Result<(), SrtpError> {
        let Authentic(ticket) = packet;
        if ticket.session != self.keys.id() {
            return Err(SrtpError::WrongSession);
        }
        // RFC 3711 section 3.3.1: the receiver MUST update roll-over counter and highest sequence number only after
        // the packet was authenticated.
        if let Some(Stream::Running(window)) = self.rtp.first(ticket.ssrc)
            && window.mark_if_next(ticket.index)
        {
            return Ok(());
        }
        self.commit_any(ticket.ssrc, ticket.index)
    }

    /// As [`Inbound::commit_rtp`], whatever the SSRC's place and the order of its packets.
    #[inline(never)]
    fn commit_any(&mut self, ssrc: u32, index: u64) -> Result<(), SrtpError> {
        match self.rtp.get_mut(ssrc) {
            Some(Stream::Running(window)) => take(window, index),
            Some(told) => {
                *told = Stream::Running(Window::starting_at(index, self.window));
                Ok(())
            }
            None => {
                let window = Window::starting_at(index, self.window);
                self.rtp.insert(ssrc, Stream::Running(window)).map(drop)
            }
        }
    }

    /// The latency path: one packet, all three phases. Gives the bytes written to `out`.
    ///
    /// # Errors
    /// Those of the phases; nothing is written and nothing changed then.
    pub fn unprotect_rtp(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, SrtpError> {
        let ticket = self.prepare_rtp(packet)?;
        let len = ticket.plain_len();
        let mut job = UnprotectJob::new(&self.keys, ticket, packet, out)?;
        kernel::unprotect(&self.keys, std::slice::from_mut(&mut job), &[0]);
        let authentic = job.finish()?;
        self.commit_rtp(authentic)?;
        Ok(len)
    }

    /// Checks and decrypts one SRTCP packet. Gives the bytes written to `out`.
    ///
    /// # Errors
    /// [`SrtpError::Length`], [`SrtpError::Header`], [`SrtpError::Unencrypted`], [`SrtpError::Encrypted`], [`SrtpError::Replayed`],
    /// [`SrtpError::TooOld`], [`SrtpError::Tag`], [`SrtpError::TooManyStreams`], [`SrtpError::Output`]; nothing is written
    /// and nothing changed then.
    pub fn unprotect_rtcp(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, SrtpError> {
        let (ssrc, index) = rtcp::look(&self.keys, packet, 0)?;
        match self.rtcp.get(ssrc) {
            Some(window) => fresh(window, index)?,
            None => self.rtcp.room()?,
        }
        let len = packet.len() - self.keys.rtcp_overhead();
        let out = out.get_mut(..len).ok_or(SrtpError::Output)?;
        rtcp::open(&self.keys, ssrc, index, packet, out)?;
        match self.rtcp.get_mut(ssrc) {
            Some(window) => take(window, index)?,
            None => _ = self.rtcp.insert(ssrc, Window::starting_at(index, self.window))?,
        }
        Ok(len)
    }

    /// The roll-over counter of an SSRC, if it has state.
    pub fn roc(&self, ssrc: u32) -> Option<u32> {
        self.rtp.get(ssrc).map(|stream| match stream {
            Stream::Told { roc } => *roc,
            Stream::Running(window) => (window.highest() >> SEQ_BITS) as u32,
        })
    }

    /// Late join: the next packet of this SSRC is taken to have this roll-over counter (RFC 3711 section 3.3.1: it comes
    /// by signalling). What was received before is forgotten, so a counter set back opens the way for replays.
    ///
    /// # Errors
    /// [`SrtpError::TooManyStreams`].
    pub fn set_roc(&mut self, ssrc: u32, roc: u32) -> Result<(), SrtpError> {
        match self.rtp.get_mut(ssrc) {
            Some(stream) => {
                *stream = Stream::Told { roc };
                Ok(())
            }
            None => self.rtp.insert(ssrc, Stream::Told { roc }).map(drop),
        }
    }

    /// Forgets an SSRC, and with it which of its packets were received: only for one whose packets are no longer
    /// wanted. `true` if there was something to forget.
    pub fn remove_ssrc(&mut self, ssrc: u32) -> bool {
        let rtp = self.rtp.remove(ssrc).is_some();
        self.rtcp.remove(ssrc).is_some() || rtp
    }
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").field("keys", &self.keys).finish_non_exhaustive()
    }
}

#[inline]
fn fresh(window: &Window, index: u64) -> Result<(), SrtpError> {
    match window.look(index) {
        Seen::Fresh => Ok(()),
        Seen::Marked => Err(SrtpError::Replayed),
        Seen::Behind => Err(SrtpError::TooOld),
    }
}

#[inline]
fn take(window: &mut Window, index: u64) -> Result<(), SrtpError> {
    fresh(window, index)?;
    window.mark(index);
    Ok(())
}
