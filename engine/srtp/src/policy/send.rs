//! The way out of a session.

use super::ring::Ring;
use super::rtp::{self, Means, Place};
use super::stream::Role;
use super::{Session, cryptex};
use crate::batch::{ProtectJob, SendIndex};
use crate::error::SrtpError;
use crate::kernel;
use crate::limits::MAX_PACKET;
use crate::packet::{RtpFields, rtcp_ssrc, rtp_fields};
use crate::rtcp;
use crate::window::Seen;

/// A packet on its way out: its index is taken, and [`Session::protect_job`] makes the job that protects it.
#[must_use = "the index is taken and can never be used again"]
pub struct Sending<'a> {
    index: SendIndex,
    /// The stream's slot.
    stream: u32,
    /// The master key's.
    key: u32,
    header_len: u32,
    packet: &'a [u8],
    /// Header, ciphertext and tag; an MKI is written already.
    out: &'a mut [u8],
    len: usize,
}

impl Sending<'_> {
    /// Bytes the packet will have.
    pub fn protected_len(&self) -> usize {
        self.len
    }
}

/// How far [`Session::begin_protect`] came with a packet.
pub enum Begun<'a> {
    /// The packet is one for the kernels: it goes out when its job went through [`crate::protect_batch`].
    Ready(Sending<'a>),
    /// The packet needed more than the kernels know, and is protected. It has so many bytes.
    Done(usize),
}

/// A packet and its place, as the steps of protecting hand it on.
struct Outgoing<'a> {
    packet: &'a [u8],
    /// As long as the protected packet.
    out: &'a mut [u8],
    fields: RtpFields,
    named: Option<usize>,
    cryptex: bool,
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
        match self.begin_protect(packet, out, named)? {
            Begun::Done(len) => Ok(len),
            Begun::Ready(sending) => {
                let len = sending.len;
                protect_one(&mut self.protect_job(sending)?);
                Ok(len)
            }
        }
    }

    /// The first step of [`Session::protect_rtp`], for those who protect many packets together: takes the index. What the kernels
    /// for many packets are not for is protected at once, so that indices are taken in the order of the calls, whatever the packets.
    ///
    /// # Errors
    /// Those of [`Session::protect_rtp`].
    #[inline]
    pub fn begin_protect<'a>(
        &mut self,
        packet: &'a [u8],
        out: &'a mut [u8],
        named: Option<usize>,
    ) -> Result<Begun<'a>, SrtpError> {
        let fields = rtp_fields(packet, 0)?;
        let known = self.streams.find(fields.ssrc);
        let stream = known.and_then(|slot| self.streams.look_at(slot));
        // RFC 3711 section 3.2.3: without a cryptographic context there is nothing to send under.
        let ring = stream.map(|stream| &stream.ring).or(self.wildcard.as_ref()).ok_or(SrtpError::NoStream)?;
        let growth = if ring.is_plain() { None } else { growth(ring, packet, &fields)? };
        let mki = ring.mki(named);
        let len = packet.len() + growth.unwrap_or(0) + ring.policy.rtp.tag_len + mki.len();
        if len > MAX_PACKET {
            return Err(SrtpError::Length);
        }
        let out = out.get_mut(..len).ok_or(SrtpError::Output)?;
        let slot = match known {
            Some(slot) => slot,
            None => {
                let ring = ring.clone();
                self.stream(fields.ssrc, &ring)?;
                self.streams.find(fields.ssrc).ok_or(SrtpError::NoStream)?
            }
        };
        let (key, index) = self.take(slot, &fields, named)?;
        let stream = self.streams.look_at(slot).ok_or(SrtpError::NoStream)?;
        let Some(keys) = stream.ring.plain_keys(key, index).filter(|_| stream.ring.mki_is_last(named)) else {
            let outgoing = Outgoing { packet, out, fields, named, cryptex: growth.is_some() };
            self.protect_alone(slot, key, index, outgoing)?;
            return Ok(Begun::Done(len));
        };
        let index = SendIndex { session: keys.id(), ssrc: fields.ssrc, index };
        let mki = stream.ring.mki(named);
        let (out, behind) = out.split_at_mut(len - mki.len());
        behind.copy_from_slice(mki);
        Ok(Begun::Ready(Sending {
            index,
            // All fit: streams are bounded, and a packet has at most 65,535 bytes.
            stream: slot as u32,
            key: key as u32,
            header_len: fields.header_len as u32,
            packet,
            out,
            len,
        }))
    }

    /// The second step of [`Session::protect_rtp`]: the job for [`crate::protect_batch`].
    ///
    /// # Errors
    /// [`SrtpError::WrongSession`] if the index is of another session, or the stream was removed or got other keys in between; it
    /// is lost then.
    #[inline]
    pub fn protect_job<'a>(&'a self, sending: Sending<'a>) -> Result<ProtectJob<'a>, SrtpError> {
        let Sending { index, stream, key, header_len, packet, out, .. } = sending;
        let slot = stream as usize;
        let stream = self.streams.look_at(slot).filter(|_| self.streams.is_at(slot, index.ssrc));
        let keys = stream.and_then(|stream| stream.ring.plain_keys(key as usize, index.index));
        let keys = keys.filter(|keys| keys.id() == index.session).ok_or(SrtpError::WrongSession)?;
        let (header, payload) = packet.split_at(header_len as usize);
        // All that `ProtectJob::new` checks was checked when the index was taken, of this very packet and its room.
        Ok(ProtectJob { keys, index, header, payload, out })
    }

    /// Protects a packet whose index is taken, with whatever its policy asks for.
    #[inline(never)]
    fn protect_alone(
        &mut self,
        slot: usize,
        key: usize,
        index: u64,
        outgoing: Outgoing<'_>,
    ) -> Result<(), SrtpError> {
        let Outgoing { packet, out, fields, named, cryptex } = outgoing;
        let stream = self.streams.at(slot).ok_or(SrtpError::NoStream)?;
        let ring = stream.ring.clone();
        let (keys, r) = ring.keys(key, index, &stream.rtp_keys);
        stream.rtp_keys.keep(key, r, &keys);
        if ring.is_plain() && ring.mki(named).is_empty() {
            let index = SendIndex { session: keys.session.id(), ssrc: fields.ssrc, index };
            let (header, payload) = packet.split_at(fields.header_len);
            protect_one(&mut ProtectJob { keys: &keys.session, index, header, payload, out });
            return Ok(());
        }
        let numbers = &ring.policy.encrypted_extensions;
        let means = Means { keys: &keys, numbers, mki: ring.mki(named), cryptex };
        rtp::seal(&means, Place { ssrc: fields.ssrc, index }, packet, &fields, out, &mut self.scratch)
    }

    /// Takes the index of a packet of the stream in `slot`. Gives the master key's slot with it.
    #[inline]
    fn take(
        &mut self,
        slot: usize,
        fields: &RtpFields,
        named: Option<usize>,
    ) -> Result<(usize, u64), SrtpError> {
        let stream = self.streams.at(slot).ok_or(SrtpError::NoStream)?;
        let ring = &stream.ring;
        let next = stream.indices.next(fields.seq);
        let index = next.map_or_else(|| stream.indices.estimate(fields.seq), Ok)?;
        let key = ring.slot_for(named, index)?;
        // RFC 3711 section 9.1: the same key with the same index is a two-time pad, unless it is the same packet. RFC 7714 section 8.4: with
        // GCM we MUST check, or someone as trustworthy.
        match stream.indices.look(index) {
            _ if next.is_some() => {}
            Seen::Fresh => {}
            Seen::Marked if ring.policy.allow_repeat => {}
            Seen::Marked => return Err(SrtpError::IndexTaken),
            Seen::Behind => return Err(SrtpError::TooOld),
        }
        let usage = ring.count_rtp(key);
        if usage.is_ok() {
            stream.indices.mark(index, ring.window());
        }
        let same_way = stream.goes(Role::Sender);
        self.note(fields.ssrc, usage, same_way)?;
        Ok((key, index))
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

/// By how many bytes cryptex lets a packet grow, if it is one that cryptex is for; that what the policy asks for can be done
/// to the packet.
fn growth(ring: &Ring, packet: &[u8], fields: &RtpFields) -> Result<Option<usize>, SrtpError> {
    // RFC 9335 section 5: a packet with cryptex MUST NOT have RFC 6904's encryption too.
    let growth = if ring.policy.cryptex { cryptex::growth(packet)? } else { None };
    if growth.is_none() && ring.policy.rtp.encrypt && !ring.policy.encrypted_extensions.is_empty() {
        rtp::check_extensions(packet, fields, &ring.policy.encrypted_extensions)?;
    }
    Ok(growth)
}

/// Puts one job through its kernel.
fn protect_one(job: &mut ProtectJob<'_>) {
    kernel::protect(job.keys, std::slice::from_mut(job), &[0]);
}
