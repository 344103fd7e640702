//! SRTCP on one packet (RFC 3711 section 3.4, RFC 7714 section 9): the latency path, one message at a time.

use crate::ct;
use crate::error::SrtpError;
use crate::kernel::{GCM_TAG, Suite};
use crate::keys::SessionKeys;
use crate::packet::{RTCP_CLEAR, RTCP_INDEX, rtcp_ssrc};

/// The E flag: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Where the E flag with the index stands, counted from the packet's end.
fn index_back(keys: &SessionKeys) -> usize {
    // RFC 7714 section 9.2: with GCM the tag belongs to the ciphertext and the index follows it; RFC 3711 has the tag last.
    if keys.profile().is_gcm() { RTCP_INDEX } else { keys.rtcp_overhead() }
}

/// SSRC and index of a protected packet, before it is authenticated.
pub(crate) fn look(keys: &SessionKeys, packet: &[u8]) -> Result<(u32, u64), SrtpError> {
    let ssrc = rtcp_ssrc(packet, keys.rtcp_overhead())?;
    let at = packet.len() - index_back(keys);
    let word = u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    // RFC 3711 section 3.4: E says whether the packet is encrypted. A session that encrypts takes nothing else, or
    // anyone could choose what is hidden and what is not.
    if word & ENCRYPTED == 0 {
        return Err(SrtpError::Unencrypted);
    }
    Ok((ssrc, u64::from(word & !ENCRYPTED)))
}

/// Checks and decrypts a packet that [`look`] understood; `out` has exactly the plain length.
pub(crate) fn open(
    keys: &SessionKeys,
    ssrc: u32,
    index: u64,
    packet: &[u8],
    out: &mut [u8],
) -> Result<(), SrtpError> {
    let (message, trailer) = packet.split_at(out.len());
    let (clear, input) = message.split_at(RTCP_CLEAR);
    let (out_clear, out) = out.split_at_mut(RTCP_CLEAR);
    let good = match keys.rtcp.suite() {
        Suite::Cm(cipher) => {
            // RFC 3711 section 3.4: the authenticated portion is everything up to and including E flag and index.
            let (word, tag) = trailer.split_at(RTCP_INDEX);
            let good = ct::equal(&cipher.code(message, word)[..tag.len()], tag);
            if good {
                cipher.crypt(ssrc, index, input, out);
            }
            good
        }
        Suite::Gcm(cipher) => {
            let (tag, word) = trailer.split_first_chunk::<GCM_TAG>().ok_or(SrtpError::Length)?;
            cipher.open(ssrc, index, &associated(clear, word), input, tag, out)
        }
    };
    if !good {
        return Err(SrtpError::Tag);
    }
    out_clear.copy_from_slice(clear);
    Ok(())
}

/// Encrypts and tags `packet` into `out`, which has exactly the protected length.
pub(crate) fn seal(keys: &SessionKeys, ssrc: u32, index: u64, packet: &[u8], out: &mut [u8]) {
    let (clear, input) = packet.split_at(RTCP_CLEAR);
    let word = (ENCRYPTED | index as u32).to_be_bytes();
    let (message, trailer) = out.split_at_mut(packet.len());
    message[..RTCP_CLEAR].copy_from_slice(clear);
    match keys.rtcp.suite() {
        Suite::Cm(cipher) => {
            cipher.crypt(ssrc, index, input, &mut message[RTCP_CLEAR..]);
            let code = cipher.code(message, &word);
            let (place, tag) = trailer.split_at_mut(RTCP_INDEX);
            place.copy_from_slice(&word);
            tag.copy_from_slice(&code[..tag.len()]);
        }
        Suite::Gcm(cipher) => {
            let code = cipher.seal(ssrc, index, &associated(clear, &word), input, &mut message[RTCP_CLEAR..]);
            let (tag, place) = trailer.split_at_mut(GCM_TAG);
            tag.copy_from_slice(&code);
            place.copy_from_slice(&word);
        }
    }
}

/// RFC 7714 section 9.2: the associated data are the clear header, then E flag and index.
fn associated(clear: &[u8], word: &[u8]) -> [u8; RTCP_CLEAR + RTCP_INDEX] {
    let mut aad = [0; RTCP_CLEAR + RTCP_INDEX];
    aad[..RTCP_CLEAR].copy_from_slice(clear);
    aad[RTCP_CLEAR..].copy_from_slice(word);
    aad
}
