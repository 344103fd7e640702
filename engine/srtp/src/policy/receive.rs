//! The way into a session: nothing is written and nothing changes ahead of authentication.

use std::sync::Arc;

use super::ring::{Keys, Ring, Usage};
use super::rtp::{self, Means, Place};
use super::stream::{Indices, Role, fresh};
use super::{Session, cryptex};
use crate::batch::{RtpTicket, UnprotectJob};
use crate::error::SrtpError;
use crate::kernel;
use crate::keys::SessionId;
use crate::packet::{RtpFields, rtcp_ssrc, rtp_fields};
use crate::rtcp;

/// Whether another key may understand what one refused.
fn another_key(error: SrtpError) -> bool {
    matches!(error, SrtpError::Tag | SrtpError::Mki | SrtpError::KeyExhausted)
}

/// A packet on its way in that is one for the kernels: how it looked to [`Session::begin_unprotect`], and whether its tag was
/// right.
#[derive(Debug)]
#[must_use = "without the last step the packet can be replayed"]
pub struct Receiving {
    session: SessionId,
    index: u64,
    ssrc: u32,
    /// The stream's slot.
    stream: u32,
    /// The master key's.
    key: u32,
    len: u32,
    authentic: bool,
}

impl Receiving {
    /// Takes over what the packet's job, after [`crate::unprotect_batch`], says of its tag. A job of another packet says nothing, and
    /// neither does one that never ran.
    #[inline]
    pub fn learn(&mut self, job: &UnprotectJob<'_>) {
        let ticket = &job.ticket;
        let same = (ticket.session, ticket.ssrc, ticket.index) == (self.session, self.ssrc, self.index);
        self.authentic = same && job.authentic;
    }
}

/// A packet on its way in, whatever its policy asks for, and the keys it is tried with.
struct Looked {
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

impl Looked {
    /// The job that unprotects the packet, if that is one for the kernels.
    fn job<'a>(&'a self, packet: &'a [u8], out: &'a mut [u8]) -> Option<Result<UnprotectJob<'a>, SrtpError>> {
        let ticket = RtpTicket {
            session: self.keys.session.id(),
            ssrc: self.fields.ssrc,
            index: self.place.index,
            // All fit: a packet has at most 65,535 bytes.
            header_len: self.fields.header_len as u32,
            plain_len: self.len as u32,
        };
        let plain = self.ring.is_plain() && self.mki_len == 0;
        plain.then(|| UnprotectJob::new(&self.keys.session, ticket, packet, out))
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
        let Some((mut receiving, mut job)) = self.begin_unprotect(packet, out, mki) else {
            return self.unprotect_alone(packet, out, mki);
        };
        unprotect_one(&mut job);
        receiving.learn(&job);
        self.end_unprotect(&receiving, packet, out, mki)
    }

    /// The first step of [`Session::unprotect_rtp`], for those who unprotect many packets together. Changes nothing. The job goes
    /// through [`crate::unprotect_batch`], and what it says of the tag goes to [`Receiving::learn`].
    ///
    /// `None` leaves the packet to [`Session::unprotect_rtp`] when its turn comes: it is the first of its SSRC, needs more than the
    /// kernels know, or will most likely be refused.
    #[inline]
    pub fn begin_unprotect<'a>(
        &'a self,
        packet: &'a [u8],
        out: &'a mut [u8],
        mki: bool,
    ) -> Option<(Receiving, UnprotectJob<'a>)> {
        let fields = rtp_fields(packet, 0).ok()?;
        let slot = self.streams.find(fields.ssrc)?;
        let stream = self.streams.look_at(slot)?;
        let ring = &*stream.ring;
        let (named, packet) = if mki { ring.without_mki(packet)? } else { (None, packet) };
        let index = match stream.indices.next(fields.seq) {
            Some(index) => index,
            None => {
                let index = stream.indices.estimate(fields.seq).ok()?;
                // RFC 3711 section 3.3 step 5: check if the packet has been replayed, before the tag.
                fresh(stream.indices.look(index)).ok()?;
                index
            }
        };
        let key = ring.slot_for(named, index).ok()?;
        let keys = ring.plain_keys(key, index)?;
        let len = packet.len().checked_sub(keys.rtp_overhead()).filter(|len| *len >= fields.header_len)?;
        let (header_len, plain_len) = (fields.header_len as u32, len as u32);
        let ticket = RtpTicket { session: keys.id(), ssrc: fields.ssrc, index, header_len, plain_len };
        let receiving = Receiving {
            session: ticket.session,
            index,
            ssrc: fields.ssrc,
            // Both fit: streams and master keys are bounded.
            stream: slot as u32,
            key: key as u32,
            len: plain_len,
            authentic: false,
        };
        Some((receiving, UnprotectJob::new(keys, ticket, packet, out).ok()?))
    }

    /// The last step, after [`crate::unprotect_batch`], in the order in which the packets came: gives what
    /// [`Session::unprotect_rtp`] would give of this packet now, whatever the packets ahead of it changed. What a job wrote of
    /// a packet that is refused is wiped. `packet`, `out` and `mki` are those of the first step.
    ///
    /// # Errors
    /// Those of [`Session::unprotect_rtp`].
    #[inline]
    pub fn end_unprotect(
        &mut self,
        receiving: &Receiving,
        packet: &[u8],
        out: &mut [u8],
        mki: bool,
    ) -> Result<usize, SrtpError> {
        match self.settle(receiving) {
            Some(Ok(len)) => Ok(len),
            settled => self.end_otherwise(receiving, settled, packet, out, mki),
        }
    }

    /// The last step for a packet that is refused as it looked at first.
    #[inline(never)]
    fn end_otherwise(
        &mut self,
        receiving: &Receiving,
        settled: Option<Result<usize, SrtpError>>,
        packet: &[u8],
        out: &mut [u8],
        mki: bool,
    ) -> Result<usize, SrtpError> {
        let written = if receiving.authentic { receiving.len as usize } else { 0 };
        out.iter_mut().take(written).for_each(|byte| *byte = 0);
        match settled {
            Some(Err(error)) if another_key(error) => {
                let previous = self.streams.get(receiving.ssrc).and_then(|stream| stream.previous.clone());
                // The keys from before a change come second.
                previous.map_or(Err(error), |ring| self.unprotect_rtp_under(&ring, packet, out, mki))
            }
            Some(verdict) => verdict,
            None => self.unprotect_alone(packet, out, mki),
        }
    }

    /// The verdict on a packet that went through a job, and what follows from it for the session; `None` if the packet looks
    /// otherwise now than it did, so that the job was not the right one.
    #[inline]
    fn settle(&mut self, receiving: &Receiving) -> Option<Result<usize, SrtpError>> {
        let &Receiving { session, index, ssrc, stream: slot, key, len, authentic } = receiving;
        let (slot, key) = (slot as usize, key as usize);
        if !self.streams.is_at(slot, ssrc) {
            return None;
        }
        let stream = self.streams.at(slot)?;
        let ring = &*stream.ring;
        if ring.own_keys(key, index)?.id() != session {
            return None;
        }
        let seq = index as u16;
        if stream.indices.next(seq) != Some(index) {
            if stream.indices.estimate(seq) != Ok(index) {
                return None;
            }
            // Two copies of one packet may have been in the same batch, or one that made this one old.
            if let Err(error) = fresh(stream.indices.look(index)) {
                return Some(Err(error));
            }
        }
        if !authentic {
            return Some(Err(SrtpError::Tag));
        }
        let usage = ring.count_rtp(key);
        if usage.is_ok() {
            // RFC 3711 section 3.3.1: roll-over counter and highest sequence number MUST be updated only after the packet
            // was authenticated.
            stream.indices.mark(index, ring.window());
        }
        let same_way = stream.goes(Role::Receiver);
        Some(self.note(ssrc, usage, same_way).map(|()| len as usize))
    }

    /// [`Session::unprotect_rtp`] for packets that [`Session::begin_unprotect`] leaves to it.
    #[inline(never)]
    fn unprotect_alone(&mut self, packet: &[u8], out: &mut [u8], mki: bool) -> Result<usize, SrtpError> {
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
        let looked = self.look(packet, mki, ring)?;
        self.open(&looked, packet, out)?;
        self.take_in(&looked).inspect_err(|_| out[..looked.len].fill(0))
    }

    /// The keys that packets of an SSRC may be under.
    fn rings(&self, ssrc: u32) -> [Option<Arc<Ring>>; 2] {
        match self.streams.get(ssrc) {
            Some(stream) => [Some(stream.ring.clone()), stream.previous.clone()],
            // RFC 3711 section 3.2.3: a packet for which there is no cryptographic context MUST be discarded.
            None => [self.wildcard.clone(), None],
        }
    }

    fn look(&self, packet: &[u8], mki: bool, ring: &Arc<Ring>) -> Result<Looked, SrtpError> {
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
        Ok(Looked { ring: ring.clone(), keys, slot, r, mki_len, fields, place, cryptex, len })
    }

    /// Checks and decrypts; changes nothing but `out`, and that only if the tag is right.
    fn open(&mut self, looked: &Looked, packet: &[u8], out: &mut [u8]) -> Result<(), SrtpError> {
        let out = out.get_mut(..looked.len).ok_or(SrtpError::Output)?;
        if let Some(job) = looked.job(packet, out) {
            let mut job = job?;
            unprotect_one(&mut job);
            return job.finish().map(|_| ());
        }
        let means = Means {
            keys: &looked.keys,
            numbers: &looked.ring.policy.encrypted_extensions,
            mki: &[],
            cryptex: looked.cryptex,
        };
        rtp::open(&means, looked.place, packet, &looked.fields, out, &mut self.scratch)
    }

    /// After a good tag: takes the index.
    fn take_in(&mut self, looked: &Looked) -> Result<usize, SrtpError> {
        let Looked { ring, fields, place, slot, r, keys, len, .. } = looked;
        self.stream(fields.ssrc, ring)?;
        let stream = self.streams.get_mut(fields.ssrc).ok_or(SrtpError::NoStream)?;
        let usage = ring.count_rtp(*slot);
        let same_way = stream.goes(Role::Receiver);
        if usage.is_ok() {
            // RFC 3711 section 3.3.1: roll-over counter and highest sequence number MUST be updated only after the packet
            // was authenticated.
            stream.indices.mark(place.index, ring.window());
            stream.rtp_keys.keep(*slot, *r, keys);
        }
        self.note(fields.ssrc, usage, same_way)?;
        Ok(*len)
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

/// Puts one job through its kernel.
fn unprotect_one(job: &mut UnprotectJob<'_>) {
    kernel::unprotect(job.keys, std::slice::from_mut(job), &[0]);
}
