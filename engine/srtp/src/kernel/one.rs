//! One SRTP packet through whichever cipher its keys are laid out for.

use super::{Cm, Gcm, Suite};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::ct;
use crate::packet::RTP_FIXED;

/// Protects one packet.
pub(crate) fn protect(job: &mut ProtectJob<'_>) {
    match job.keys.rtp.suite() {
        Suite::Cm(keys) => protect_cm(keys, job),
        Suite::Gcm(keys) => protect_gcm(keys, job),
    }
}

/// Copies a header; both have the same length. The shortest one, which most packets have, without a call.
#[inline(always)]
pub(crate) fn copy_header(header: &[u8], out: &mut [u8]) {
    match (<&[u8; RTP_FIXED]>::try_from(header), <&mut [u8; RTP_FIXED]>::try_from(&mut *out)) {
        (Ok(header), Ok(out)) => *out = *header,
        _ => out.copy_from_slice(header),
    }
}

fn protect_cm(keys: &(impl Cm + ?Sized), job: &mut ProtectJob<'_>) {
    let (message, tag) = job.out.split_at_mut(job.header.len() + job.payload.len());
    let (header, text) = message.split_at_mut(job.header.len());
    copy_header(job.header, header);
    // RFC 3711 section 3.1: encryption comes first, and the tag covers header and encrypted payload.
    keys.crypt(job.index.ssrc, job.index.index, job.payload, text);
    // RFC 3711 section 4.2: the authenticated portion is the packet followed by the roll-over counter.
    let roc = (job.index.index >> 16) as u32;
    let code = keys.code(message, &roc.to_be_bytes());
    tag.copy_from_slice(&code[..tag.len()]);
}

/// Protects one packet with AES-GCM: the header is the associated data (RFC 7714 section 8.2).
pub(crate) fn protect_gcm(keys: &(impl Gcm + ?Sized), job: &mut ProtectJob<'_>) {
    let (header, rest) = job.out.split_at_mut(job.header.len());
    let (text, tag) = rest.split_at_mut(job.payload.len());
    copy_header(job.header, header);
    tag.copy_from_slice(&keys.seal(job.index.ssrc, job.index.index, job.header, job.payload, text));
}

/// Unprotects one packet.
pub(crate) fn unprotect(job: &mut UnprotectJob<'_>) {
    match job.keys.rtp.suite() {
        Suite::Cm(keys) => unprotect_cm(keys, job),
        Suite::Gcm(keys) => unprotect_gcm(keys, job),
    }
}

fn unprotect_cm(keys: &(impl Cm + ?Sized), job: &mut UnprotectJob<'_>) {
    let (message, tag) = job.packet.split_at(job.out.len());
    let roc = (job.ticket.index >> 16) as u32;
    job.authentic = ct::equal(&keys.code(message, &roc.to_be_bytes())[..tag.len()], tag);
    if job.authentic {
        let (header, input) = message.split_at(job.ticket.header_len());
        let (out_header, out) = job.out.split_at_mut(job.ticket.header_len());
        copy_header(header, out_header);
        keys.crypt(job.ticket.ssrc, job.ticket.index, input, out);
    }
}

/// Unprotects one packet with AES-GCM. RFC 7714 section 5.3: plaintext and associated data MUST NOT be released until the tag has
/// been validated.
pub(crate) fn unprotect_gcm(keys: &(impl Gcm + ?Sized), job: &mut UnprotectJob<'_>) {
    let (message, tag) = job.packet.split_at(job.out.len());
    let (header, input) = message.split_at(job.ticket.header_len());
    let (out_header, out) = job.out.split_at_mut(job.ticket.header_len());
    job.authentic = match tag.first_chunk() {
        Some(tag) => keys.open(job.ticket.ssrc, job.ticket.index, header, input, tag, out),
        None => false,
    };
    if job.authentic {
        copy_header(header, out_header);
    }
}
