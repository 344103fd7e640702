//! The way into a session: nothing is written and nothing changes ahead of authentication.

use std::sync::Arc;

use super::ring::{Keys, Ring, Usage};
use super::rtp::{self, Means, Place};
use super::stream::{Indices, Role, fresh};
use super::{Session, cryptex};
use crate::batch::{Authentic, RtpTicket, UnprotectJob, unprotect_batch};
use crate::error::SrtpError;
use crate::packet::{RtpFields, rtcp_ssrc, rtp_fields};
use crate::rtcp;

/// Whether another key may understand what one refused.
fn another_key(error: SrtpError) -> bool {
    matches!(error, SrtpError::Tag | SrtpError::Mki | SrtpError::KeyExhausted)
}

/// A packet on its way in: nothing is authenticated yet.
pub struct Receiving {
    ring: Arc<Ring>,
    keys: Arc<Keys>,
    slot: usize,
    r: u64,
    mki_len: usize,
    fields: RtpFields,
    place: Place,
    cryptex: bool,
    len: usize,
}

impl Receiving {
    /// Bytes the packet will have once unprotected.
    pub fn plain_len(&self) -> usize {
        self.len
    }

    /// The job that unprotects the packet, if that is one for the kernels.
    ///
    /// # Errors
    /// Those of [`UnprotectJob::new`].
    pub fn job<'a>(
        &'a self,
        packet: &'a [u8],
        out: &'a mut [u8],
    ) -> Option<Result<UnprotectJob<'a>, SrtpError>> {
        let plain = self.ring.policy.is_plain() && self.mki_len == 0;
        let ticket = RtpTicket {
            session: self.keys.session.id(),
            ssrc: self.fields.ssrc,
            index: self.place.index,
            // All fit: a packet has at most 65,535 bytes.
            header_len: self.fields.header_len as u32,
            plain_len: self.len as u32,
        };
        let fits = packet.len() == self.len + self.keys.session.rtp_overhead();
        plain.then(|| match fits {
            true => UnprotectJob::new(&self.keys.session, ticket, packet, out),
            false => Err(SrtpError::WrongSession),
        })
    }
}

impl Session {
    /// Checks and decrypts an SRTP packet. `mki` says whether packets carry one. Gives the bytes written to `out`.
    ///
    /// # Errors
    /// [`SrtpError::Length`], [`SrtpError::Header`], [`SrtpError::NoStream`], [`SrtpError::Mki`], [`SrtpError::Replayed`],
    /// [`SrtpError::TooOld`], [`SrtpError::Tag`], [`SrtpError::Extension`], [`SrtpError::Output`],
    /// [`SrtpError::TooManyStreams`], [`SrtpError::KeyExhausted`]; nothing is written and nothing changed then.
    pub fn unprotect_rtp(&mut self, packet: &[u8], out: &mut [u8], mki: bool) -> Result<usize, SrtpError> {
        let ssrc = rtp_fields(packet, 0)?.ssrc;
        let mut verdict = Err(SrtpError::NoStream);
        // The keys from before a change come second: what was under way comes through, what is neither does not.
        for ring in self.rings(ssrc).into_iter().flatten() {
            verdict = self.unprotect_rtp_under(&ring, packet, out, mki);
            if !verdict.is_err_and(another_key) {
                break;
            }
        }
        verdict
    }

    fn unprotect_rtp_under(
        &mut self,
        ring: &Arc<Ring>,
        packet: &[u8],
        out: &mut [u8],
        mki: bool,
    ) -> Result<usize, SrtpError> {
        let receiving = self.look(packet, mki, ring)?;
        self.open(&receiving, packet, out)?;
        self.end_unprotect(&receiving)
    }

    /// The keys that packets of an SSRC may be under.
    fn rings(&self, ssrc: u32) -> [Option<Arc<Ring>>; 2] {
        match self.streams.get(ssrc) {
            Some(stream) => [Some(stream.ring.clone()), stream.previous.clone()],
            None => [self.wildcard.clone(), None],
        }
    }

    /// The first step of [`Session::unprotect_rtp`], for those who unprotect many packets together. Changes nothing.
    ///
    /// # Errors
    /// Those of [`Session::unprotect_rtp`].
    pub fn begin_unprotect(&self, packet: &[u8], mki: bool) -> Result<Receiving, SrtpError> {
        let ssrc = rtp_fields(packet, 0)?.ssrc;
        let known = self.streams.get(ssrc).map(|stream| &stream.ring);
        // RFC 3711 section 3.2.3: a packet for which there is no cryptographic context MUST be discarded.
        self.look(packet, mki, known.or(self.wildcard.as_ref()).ok_or(SrtpError::NoStream)?)
    }

    fn look(&self, packet: &[u8], mki: bool, ring: &Arc<Ring>) -> Result<Receiving, SrtpError> {
        let policy = &ring.policy;
        let fields = rtp_fields(packet, 0)?;
        let tag_len = policy.rtp.tag_len;
        let behind = if policy.rtp.cipher.is_gcm() { 0 } else { tag_len };
        let named = if mki { Some(ring.slot_of_mki(packet, behind)?) } else { None };
        let mki_len = named.map_or(0, |(_, len)| len);
        let fields = rtp_fields(packet, tag_len + mki_len).map(|_| fields)?;
        let none = Indices::new(0);
        let stream = self.streams.get(fields.ssrc);
        if stream.is_none() {
            self.streams.room()?;
        }
        let indices = stream.map_or(&none, |stream| &stream.indices);
        let index = indices.estimate(fields.seq)?;
        // RFC 3711 section 3.3 step 5: check if the packet has been replayed, before the tag.
        fresh(indices.look(index))?;
        // RFC 9335 section 5.2: the profile MUST be checked; where it is not one of cryptex, or cryptex was not agreed, the packet MUST be
        // handled as the profile's own document says. Section 5: one with cryptex MUST NOT have RFC 6904's encryption too.
        let cryptex = policy.cryptex && cryptex::is_hidden(packet);
        if !cryptex && policy.rtp.encrypt && !policy.encrypted_extensions.is_empty() {
            // RFC 6904 section 3: ahead of the tag nothing MUST be done because of decrypted headers. This reads what is always clear.
            rtp::check_extensions(packet, &fields, &policy.encrypted_extensions)?;
        }
        let slot = ring.slot_for(named.map(|(slot, _)| slot), index)?;
        let (keys, r) = match stream {
            Some(stream) => ring.keys(slot, index, &stream.rtp_keys),
            None => ring.keys(slot, index, &Default::default()),
        };
        let place = Place { ssrc: fields.ssrc, index };
        let len = packet.len() - tag_len - mki_len;
        Ok(Receiving { ring: ring.clone(), keys, slot, r, mki_len, fields, place, cryptex, len })
    }

    /// Checks and decrypts; changes nothing but `out`, and that only if the tag is right.
    fn open(&mut self, receiving: &Receiving, packet: &[u8], out: &mut [u8]) -> Result<(), SrtpError> {
        let out = out.get_mut(..receiving.len).ok_or(SrtpError::Output)?;
        if let Some(job) = receiving.job(packet, out) {
            let mut job = job?;
            unprotect_batch(std::slice::from_mut(&mut job));
            return job.finish().map(|_: Authentic| ());
        }
        let means = Means {
            keys: &receiving.keys,
            numbers: &receiving.ring.policy.encrypted_extensions,
            mki: &[],
            cryptex: receiving.cryptex,
        };
        rtp::open(&means, receiving.place, packet, &receiving.fields, out, &mut self.scratch)
    }

    /// The last step, after a good tag: takes the index. It is asked for again: two copies of one packet may have been
    /// in the same batch.
    ///
    /// # Errors
    /// [`SrtpError::Replayed`], [`SrtpError::TooOld`], [`SrtpError::TooManyStreams`], [`SrtpError::KeyExhausted`]. The
    /// caller then drops the packet.
    pub(crate) fn end_unprotect(&mut self, receiving: &Receiving) -> Result<usize, SrtpError> {
        let Receiving { ring, fields, place, slot, r, keys, len, .. } = receiving;
        self.stream(fields.ssrc, ring)?;
        let stream = self.streams.get_mut(fields.ssrc).ok_or(SrtpError::NoStream)?;
        fresh(stream.indices.look(place.index))?;
        let usage = ring.count_rtp(*slot);
        let same_way = stream.goes(Role::Receiver);
        if usage.is_ok() {
            // RFC 3711 section 3.3.1: roll-over counter and highest sequence number MUST be updated only after the packet
            // was authenticated.
            stream.indices.mark(place.index, ring.policy.window_size());
            stream.rtp_keys.keep(*slot, *r, keys);
        }
        self.note(fields.ssrc, usage, same_way)?;
        Ok(*len)
    }

    /// After [`unprotect_batch`]: takes what was authentic into the session. Gives the packet's length.
    ///
    /// # Errors
    /// [`SrtpError::WrongSession`] if the proof is of another packet; [`SrtpError::Replayed`], [`SrtpError::TooOld`],
    /// [`SrtpError::TooManyStreams`], [`SrtpError::KeyExhausted`]. The caller then drops the packet.
    pub fn commit(&mut self, receiving: &Receiving, proof: Authentic) -> Result<usize, SrtpError> {
        let Authentic(ticket) = proof;
        let Place { ssrc, index } = receiving.place;
        if (ticket.session, ticket.ssrc, ticket.index) != (receiving.keys.session.id(), ssrc, index) {
            return Err(SrtpError::WrongSession);
        }
        self.end_unprotect(receiving)
    }

    /// Checks and decrypts an SRTCP packet. Gives the bytes written to `out`.
    ///
    /// # Errors
    /// As for [`Session::unprotect_rtp`], and [`SrtpError::Unencrypted`] or [`SrtpError::Encrypted`] if the packet's E flag is
    /// not what the policy says.
    pub fn unprotect_rtcp(&mut self, packet: &[u8], out: &mut [u8], mki: bool) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet, 0)?;
        let mut verdict = Err(SrtpError::NoStream);
        for ring in self.rings(ssrc).into_iter().flatten() {
            verdict = self.unprotect_rtcp_under(&ring, packet, out, mki);
            if !verdict.is_err_and(another_key) {
                break;
            }
        }
        verdict
    }

    fn unprotect_rtcp_under(
        &mut self,
        ring: &Arc<Ring>,
        packet: &[u8],
        out: &mut [u8],
        mki: bool,
    ) -> Result<usize, SrtpError> {
        let policy = &ring.policy;
        let behind = if policy.rtcp.cipher.is_gcm() { 0 } else { policy.rtcp.tag_len };
        let named = if mki { Some(ring.slot_of_mki(packet, behind)?) } else { None };
        let mki_len = named.map_or(0, |(_, len)| len);
        let (ssrc, index) = rtcp::look(ring.sizes(), packet, mki_len)?;
        let stream = self.streams.get(ssrc);
        match stream {
            Some(stream) => fresh(stream.indices.look_rtcp(index))?,
            None => self.streams.room()?,
        }
        let now = stream.and_then(|stream| stream.indices.estimate(0).ok()).unwrap_or(0);
        let slot = named.map_or_else(|| ring.slot_for(None, now).unwrap_or(0), |(slot, _)| slot);
        let (keys, r) = match stream {
            Some(stream) => ring.keys(slot, index, &stream.rtcp_keys),
            None => ring.keys(slot, index, &Default::default()),
        };
        let len = packet.len() - keys.session.rtcp_overhead() - mki_len;
        let out = out.get_mut(..len).ok_or(SrtpError::Output)?;
        rtcp::open(&keys.session, ssrc, index, packet, out)?;
        self.stream(ssrc, ring)?;
        let stream = self.streams.get_mut(ssrc).ok_or(SrtpError::NoStream)?;
        stream.indices.mark_rtcp(index);
        stream.rtcp_keys.keep(slot, r, &keys);
        let same_way = stream.goes(Role::Receiver);
        self.note(ssrc, Ok(Usage::Normal), same_way)?;
        Ok(len)
    }
}
