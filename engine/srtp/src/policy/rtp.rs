//! One SRTP packet with whatever its policy asks for. Packets that need none of it go through the kernels.

use super::cryptex;
use super::extensions::encrypted_elements;
use super::ring::Keys;
use crate::cipher::Protection;
use crate::ct;
use crate::error::SrtpError;
use crate::kernel::{GCM_TAG, Suite};
use crate::packet::{RTP_FIXED, RtpFields};

/// Where a packet belongs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    pub(super) index: u64,
}

impl Place {
    fn roc(self) -> [u8; 4] {
        ((self.index >> 16) as u32).to_be_bytes()
    }
}

/// Bytes of profile and length ahead of the elements of a header extension.
const BEGIN: usize = 4;

/// Where the elements of the header extension stand.
fn elements(packet: &[u8], fields: &RtpFields) -> Option<std::ops::Range<usize>> {
    let start = RTP_FIXED + 4 * usize::from(packet[0] & 0x0f) + BEGIN;
    (packet[0] & cryptex::X != 0).then_some(start..fields.header_len)
}

/// Whether the header extension is one that RFC 6904 can be applied to.
pub(super) fn check_extensions(packet: &[u8], fields: &RtpFields, numbers: &[u8]) -> Result<(), SrtpError> {
    match (cryptex::profile(packet), elements(packet, fields)) {
        (Some(profile), Some(range)) => encrypted_elements(profile, &packet[range], numbers, |_| ()),
        _ => Ok(()),
    }
}

/// RFC 6904 section 3: the keystream begins with the first element's number, and of it only what lies over the data of the chosen
/// elements is used. Section 3.2: it SHALL have the payload's transform and IV, under keys of its own. Encrypts and decrypts the
/// extension of `packet` into `header`.
fn crypt_extensions(
    keys: &Keys,
    place: Place,
    packet: &[u8],
    header: &mut [u8],
    fields: &RtpFields,
    numbers: &[u8],
    scratch: &mut Vec<u8>,
) -> Result<(), SrtpError> {
    let (Some(set), Some(profile), Some(range)) =
        (&keys.headers, cryptex::profile(packet), elements(packet, fields))
    else {
        return Ok(());
    };
    let Suite::Cm(cipher) = set.suite() else { return Err(SrtpError::Extension) };
    let (block, out) = (&packet[range.clone()], &mut header[range]);
    scratch.clear();
    scratch.resize(block.len(), 0);
    cipher.crypt(place.ssrc, place.index, block, scratch);
    encrypted_elements(profile, block, numbers, |data| out[data.clone()].copy_from_slice(&scratch[data]))
}

/// The parts of the trailer: RFC 3711 section 3.1 has MKI and then tag; RFC 7714 section 8.2 has the tag as part of the
/// ciphertext, ahead of the MKI.
fn tag_and_mki(protection: Protection, trailer: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    if protection.cipher.is_gcm() {
        trailer.split_at_mut(protection.tag_len)
    } else {
        let (mki, tag) = trailer.split_at_mut(trailer.len() - protection.tag_len);
        (tag, mki)
    }
}

/// The tag of a received packet.
fn tag_of(protection: Protection, trailer: &[u8]) -> &[u8] {
    let start = if protection.cipher.is_gcm() { 0 } else { trailer.len() - protection.tag_len };
    &trailer[start..start + protection.tag_len]
}

/// What a packet is protected with.
pub(super) struct Means<'a> {
    pub(super) keys: &'a Keys,
    /// Header extensions to encrypt.
    pub(super) numbers: &'a [u8],
    pub(super) mki: &'a [u8],
    pub(super) cryptex: bool,
}

/// Protects a packet whose extensions were checked into `out`, which has exactly the protected length.
pub(super) fn seal(
    means: &Means<'_>,
    place: Place,
    packet: &[u8],
    fields: &RtpFields,
    out: &mut [u8],
    scratch: &mut Vec<u8>,
) -> Result<(), SrtpError> {
    let protection = means.keys.session.rtp_protection();
    let (message, trailer) = out.split_at_mut(out.len() - protection.tag_len - means.mki.len());
    // RFC 9335 section 6.2: with an AEAD the fixed header and the first four bytes of the extension are the associated data.
    let (input, clear_len) = if means.cryptex {
        cryptex::to_hide(packet, fields, scratch);
        message[..cryptex::CLEAR].copy_from_slice(&scratch[..cryptex::CLEAR]);
        (&scratch[cryptex::CLEAR..], cryptex::CLEAR)
    } else {
        let header = &mut message[..fields.header_len];
        header.copy_from_slice(&packet[..fields.header_len]);
        // RFC 6904 section 3, RFC 7714 section 8.3: extensions MUST be encrypted before the tag is computed. RFC 6904 section 3.2: where the
        // payload is not encrypted their keystream SHALL be all zeros.
        if protection.encrypt {
            crypt_extensions(means.keys, place, packet, header, fields, means.numbers, scratch)?;
        }
        (&packet[fields.header_len..], fields.header_len)
    };
    let (tag, mki) = tag_and_mki(protection, trailer);
    match means.keys.session.rtp.suite() {
        Suite::Cm(cipher) => {
            cipher.crypt(place.ssrc, place.index, input, &mut message[clear_len..]);
            if means.cryptex {
                cryptex::to_wire_order(message);
            }
            if !tag.is_empty() {
                // RFC 3711 section 4.2: the authenticated portion is the packet followed by the roll-over counter. The
                // MKI is not part of it (section 3.1).
                tag.copy_from_slice(&cipher.code(message, &place.roc())[..tag.len()]);
            }
        }
        Suite::Gcm(cipher) => {
            let (clear, text) = message.split_at_mut(clear_len);
            let code = cipher.seal(place.ssrc, place.index, clear, input, text);
            tag.copy_from_slice(&code[..tag.len()]);
            if means.cryptex {
                cryptex::to_wire_order(message);
            }
        }
    }
    mki.copy_from_slice(means.mki);
    Ok(())
}

/// Checks a packet whose extensions were checked, and only if it is good decrypts it into `out`, which has exactly the
/// plain length. `means.mki` counts only by its length.
pub(super) fn open(
    means: &Means<'_>,
    place: Place,
    packet: &[u8],
    fields: &RtpFields,
    out: &mut [u8],
    scratch: &mut Vec<u8>,
) -> Result<(), SrtpError> {
    let protection = means.keys.session.rtp_protection();
    let (message, trailer) = packet.split_at(out.len());
    let tag = tag_of(protection, trailer);
    let (ordered, clear_len) = if means.cryptex {
        cryptex::hidden(message, scratch);
        (&scratch[..], cryptex::CLEAR)
    } else {
        (message, fields.header_len)
    };
    let (clear, input) = ordered.split_at(clear_len);
    let (out_clear, out_text) = out.split_at_mut(clear_len);
    // RFC 6904 section 3: the tag MUST be validated on the encrypted extensions. RFC 7714 section 5.3: nothing is decrypted or given out
    // ahead of that.
    let good = match means.keys.session.rtp.suite() {
        Suite::Cm(cipher) => {
            let good = tag.is_empty() || ct::equal(&cipher.code(message, &place.roc())[..tag.len()], tag);
            if good {
                cipher.crypt(place.ssrc, place.index, input, out_text);
            }
            good
        }
        Suite::Gcm(cipher) => match tag.first_chunk::<GCM_TAG>() {
            Some(tag) => cipher.open(place.ssrc, place.index, clear, input, tag, out_text),
            None => {
                let code = cipher.tag(place.ssrc, place.index, clear, input);
                let good = ct::equal(&code[..tag.len()], tag);
                if good {
                    // Counter mode is its own inverse; the tag this makes is of no use.
                    cipher.seal(place.ssrc, place.index, clear, input, out_text);
                }
                good
            }
        },
    };
    if !good {
        return Err(SrtpError::Tag);
    }
    out_clear.copy_from_slice(clear);
    if means.cryptex {
        cryptex::to_wire_order(out);
        cryptex::show(out);
        Ok(())
    } else if protection.encrypt {
        crypt_extensions(means.keys, place, packet, out, fields, means.numbers, scratch)
    } else {
        Ok(())
    }
}
