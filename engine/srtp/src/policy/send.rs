//! The way out of a session.

use std::sync::Arc;

use super::ring::{Keys, Ring};
use super::rtp::{self, Means, Place};
use super::stream::Role;
use super::{Session, cryptex};
use crate::batch::{ProtectJob, SendIndex, protect_batch};
use crate::error::SrtpError;
use crate::limits::MAX_PACKET;
use crate::packet::{RtpFields, rtcp_ssrc, rtp_fields};
use crate::rtcp;
use crate::window::Seen;

/// A packet on its way out: its index is taken.
pub struct Sending {
    keys: Arc<Keys>,
    /// With a packet that the kernels for many packets are not for. A counter less to touch for all others.
    ring: Option<Arc<Ring>>,
    named: Option<usize>,
    index: Option<SendIndex>,
    fields: RtpFields,
    place: Place,
    cryptex: bool,
    packet_len: usize,
    len: usize,
}

impl Sending {
    /// Bytes the packet will have.
    pub fn protected_len(&self) -> usize {
        self.len
    }

    /// The job that protects the packet `self` was made for, if that is one for the kernels; `None` leaves it to
    /// [`Session::end_protect`]. `out` has exactly [`Sending::protected_len`] bytes.
    ///
    /// # Errors
    /// Those of [`ProtectJob::new`]; the index is lost then.
    pub fn job<'a>(
        &'a mut self,
        packet: &'a [u8],
        out: &'a mut [u8],
    ) -> Option<Result<ProtectJob<'a>, SrtpError>> {
        let index = if self.ring.is_none() { self.index.take() } else { None }?;
        let Some((header, payload)) = packet.split_at_checked(self.fields.header_len) else {
            return Some(Err(SrtpError::HeaderMismatch));
        };
        Some(ProtectJob::new(&self.keys.session, index, header, payload, out))
    }
}

impl Session {
    /// Protects a whole RTP packet. `named` is the master key to use, whose MKI then goes with the packet. Gives the bytes
    /// written to `out`.
    ///
    /// # Errors
    /// [`SrtpError::Length`], [`SrtpError::Header`], [`SrtpError::Output`], [`SrtpError::NoStream`], [`SrtpError::Mki`],
    /// [`SrtpError::Extension`], [`SrtpError::IndexTaken`], [`SrtpError::TooOld`], [`SrtpError::TooManyStreams`], [`SrtpError::KeyExhausted`];
    /// nothing is written and no index taken then.
    pub fn protect_rtp(
        &mut self,
        packet: &[u8],
        out: &mut [u8],
        named: Option<usize>,
    ) -> Result<usize, SrtpError> {
        let sending = self.begin_protect(packet, out.len(), named)?;
        self.end_protect(sending, packet, out)
    }

    /// The last step of [`Session::protect_rtp`], for packets that [`Sending::job`] is not for.
    ///
    /// # Errors
    /// [`SrtpError::Output`], [`SrtpError::WrongSession`] if it is another packet; the index is lost then.
    pub fn end_protect(
        &mut self,
        mut sending: Sending,
        packet: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let len = sending.len;
        let out = out.get_mut(..len).ok_or(SrtpError::Output)?;
        if rtp_fields(packet, 0) != Ok(sending.fields) || packet.len() != sending.packet_len {
            return Err(SrtpError::WrongSession);
        }
        if let Some(job) = sending.job(packet, out) {
            protect_batch(std::slice::from_mut(&mut job?));
            return Ok(len);
        }
        let ring = sending.ring.as_ref().ok_or(SrtpError::WrongSession)?;
        let means = Means {
            keys: &sending.keys,
            numbers: &ring.policy.encrypted_extensions,
            mki: ring.mki(sending.named),
            cryptex: sending.cryptex,
        };
        rtp::seal(&means, sending.place, packet, &sending.fields, out, &mut self.scratch)?;
        Ok(len)
    }

    /// The first step of [`Session::protect_rtp`], for those who protect many packets together: takes the index, if
    /// `room` bytes will do for the protected packet.
    ///
    /// # Errors
    /// Those of [`Session::protect_rtp`].
    pub fn begin_protect(
        &mut self,
        packet: &[u8],
        room: usize,
        named: Option<usize>,
    ) -> Result<Sending, SrtpError> {
        let fields = rtp_fields(packet, 0)?;
        let known = self.streams.get(fields.ssrc);
        // RFC 3711 section 3.2.3: without a cryptographic context there is nothing to send under.
        let ring = known.map(|stream| &stream.ring).or(self.wildcard.as_ref()).ok_or(SrtpError::NoStream)?;
        // RFC 9335 section 5: a packet with cryptex MUST NOT have RFC 6904's encryption too.
        let growth = if ring.policy.cryptex { cryptex::growth(packet)? } else { None };
        if growth.is_none() && ring.policy.rtp.encrypt && !ring.policy.encrypted_extensions.is_empty() {
            rtp::check_extensions(packet, &fields, &ring.policy.encrypted_extensions)?;
        }
        let trailer = ring.sizes().rtp_overhead() + ring.mki(named).len();
        let len = packet.len() + growth.unwrap_or(0) + trailer;
        if len > MAX_PACKET {
            return Err(SrtpError::Length);
        }
        if len > room {
            return Err(SrtpError::Output);
        }
        let kept = (!ring.policy.is_plain() || named.is_some()).then(|| ring.clone());
        if known.is_none() {
            let ring = ring.clone();
            self.stream(fields.ssrc, &ring)?;
        }
        let (keys, index) = self.take(&fields, named)?;
        let place = Place { ssrc: fields.ssrc, index };
        let index = Some(SendIndex { session: keys.session.id(), ssrc: fields.ssrc, index });
        Ok(Sending {
            keys,
            ring: kept,
            named,
            index,
            fields,
            place,
            cryptex: growth.is_some(),
            packet_len: packet.len(),
            len,
        })
    }

    /// Takes the index of a packet.
    fn take(&mut self, fields: &RtpFields, named: Option<usize>) -> Result<(Arc<Keys>, u64), SrtpError> {
        let stream = self.streams.get_mut(fields.ssrc).ok_or(SrtpError::NoStream)?;
        let ring = &stream.ring;
        let index = stream.indices.estimate(fields.seq)?;
        let slot = ring.slot_for(named, index)?;
        // RFC 3711 section 9.1: the same key with the same index is a two-time pad, unless it is the same packet. RFC 7714 section 8.4: with
        // GCM we MUST check, or someone as trustworthy.
        match stream.indices.look(index) {
            Seen::Fresh => {}
            Seen::Marked if ring.policy.allow_repeat => {}
            Seen::Marked => return Err(SrtpError::IndexTaken),
            Seen::Behind => return Err(SrtpError::TooOld),
        }
        let usage = ring.count_rtp(slot);
        let (keys, r) = ring.keys(slot, index, &stream.rtp_keys);
        if usage.is_ok() {
            stream.rtp_keys.keep(slot, r, &keys);
            stream.indices.mark(index, ring.policy.window_size());
        }
        let same_way = stream.goes(Role::Sender);
        self.note(fields.ssrc, usage, same_way)?;
        Ok((keys, index))
    }

    /// Protects an RTCP packet, compound or not. Gives the bytes written to `out`.
    ///
    /// # Errors
    /// As for [`Session::protect_rtp`].
    pub fn protect_rtcp(
        &mut self,
        packet: &[u8],
        out: &mut [u8],
        named: Option<usize>,
    ) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet, 0)?;
        let known = self.streams.get(ssrc).map(|stream| &stream.ring);
        let ring = known.or(self.wildcard.as_ref()).ok_or(SrtpError::NoStream)?.clone();
        let len = packet.len() + ring.sizes().rtcp_overhead() + ring.mki(named).len();
        if len > MAX_PACKET {
            return Err(SrtpError::Length);
        }
        let out = out.get_mut(..len).ok_or(SrtpError::Output)?;
        self.stream(ssrc, &ring)?;
        let stream = self.streams.get_mut(ssrc).ok_or(SrtpError::NoStream)?;
        let index = stream.indices.next_rtcp()?;
        // RFC 3711 section 8.1.1: lifetimes are SRTP indices; SRTCP goes with the stream's present key.
        let slot =
            ring.slot_for(named, stream.indices.estimate(0).unwrap_or(0)).or_else(|error| match named {
                Some(_) => Err(error),
                None => Ok(0),
            })?;
        let usage = ring.count_rtcp(slot);
        let (keys, r) = ring.keys(slot, index, &stream.rtcp_keys);
        let same_way = stream.goes(Role::Sender);
        if usage.is_ok() {
            stream.indices.take_rtcp();
            stream.rtcp_keys.keep(slot, r, &keys);
        }
        self.note(ssrc, usage, same_way)?;
        rtcp::seal(&keys.session, ssrc, index, ring.mki(named), packet, out);
        Ok(len)
    }
}
