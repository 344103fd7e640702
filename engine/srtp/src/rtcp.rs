//! SRTCP on one packet (RFC 3711 section 3.4, RFC 7714 section 9): the latency path, one message at a time. Only GCM
//! without encryption allocates: its associated data are in two places.

use crate::cipher::Protection;
use crate::ct;
use crate::error::SrtpError;
use crate::kernel::{GCM_TAG, Suite};
use crate::keys::SessionKeys;
use crate::packet::{RTCP_CLEAR, RTCP_INDEX, rtcp_ssrc};

/// The E flag: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// The trailer of a protected packet, taken apart.
struct Trailer<T> {
    /// E flag and index.
    word: T,
    tag: T,
    mki: T,
}

/// RFC 3711 section 3.4: E flag and index, MKI, tag. RFC 7714 section 9.2: with GCM the tag belongs to the ciphertext, so
/// E flag and index follow it, then the MKI.
fn trailer<'a>(keys: &SessionKeys, bytes: &'a [u8]) -> Trailer<&'a [u8]> {
    let Protection { cipher, tag_len, .. } = keys.rtcp_protection();
    if cipher.is_gcm() {
        let (tag, rest) = bytes.split_at(tag_len);
        let (word, mki) = rest.split_at(RTCP_INDEX);
        Trailer { word, tag, mki }
    } else {
        let (word, rest) = bytes.split_at(RTCP_INDEX);
        let (mki, tag) = rest.split_at(rest.len() - tag_len);
        Trailer { word, tag, mki }
    }
}

/// The same for writing.
fn trailer_mut<'a>(keys: &SessionKeys, bytes: &'a mut [u8]) -> Trailer<&'a mut [u8]> {
    let Protection { cipher, tag_len, .. } = keys.rtcp_protection();
    if cipher.is_gcm() {
        let (tag, rest) = bytes.split_at_mut(tag_len);
        let (word, mki) = rest.split_at_mut(RTCP_INDEX);
        Trailer { word, tag, mki }
    } else {
        let (word, rest) = bytes.split_at_mut(RTCP_INDEX);
        let (mki, tag) = rest.split_at_mut(rest.len() - tag_len);
        Trailer { word, tag, mki }
    }
}

/// SSRC and index of a protected packet with an MKI of `mki_len` bytes, before it is authenticated.
pub(crate) fn look(keys: &SessionKeys, packet: &[u8], mki_len: usize) -> Result<(u32, u64), SrtpError> {
    let overhead = keys.rtcp_overhead() + mki_len;
    let ssrc = rtcp_ssrc(packet, overhead)?;
    let word = trailer(keys, &packet[packet.len() - overhead..]).word;
    let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
    // RFC 3711 section 3.4: E says whether the packet is encrypted. A session that encrypts takes nothing else, or
    // anyone could choose what is hidden and what is not.
    match (word & ENCRYPTED != 0, keys.rtcp_protection().encrypt) {
        (false, true) => Err(SrtpError::Unencrypted),
        (true, false) => Err(SrtpError::Encrypted),
        _ => Ok((ssrc, u64::from(word & !ENCRYPTED))),
    }
}

/// Checks and decrypts a packet that [`look`] understood; `out` has exactly the plain length.
pub(crate) fn open(
    keys: &SessionKeys,
    ssrc: u32,
    index: u64,
    packet: &[u8],
    out: &mut [u8],
) -> Result<(), SrtpError> {
    let (message, bytes) = packet.split_at(out.len());
    let Trailer { word, tag, .. } = trailer(keys, bytes);
    let (clear, input) = message.split_at(RTCP_CLEAR);
    let (out_clear, out_text) = out.split_at_mut(RTCP_CLEAR);
    let good = match keys.rtcp.suite() {
        Suite::Cm(cipher) => {
            // RFC 3711 section 3.4: the authenticated portion is everything up to and including E flag and index; section 4.2: of SRTCP
            // the code SHALL cover that only, no roll-over counter.
            let good = ct::equal(&cipher.code(message, word)[..tag.len()], tag);
            if good {
                cipher.crypt(ssrc, index, input, out_text);
            }
            good
        }
        Suite::Gcm(cipher) => {
            // RFC 7714 section 5.3: the tag comes ahead of everything else.
            let short =
                |aad: &[u8], text: &[u8]| ct::equal(&cipher.tag(ssrc, index, aad, text)[..tag.len()], tag);
            let aad = associated(clear, word);
            match (keys.rtcp_protection().encrypt, tag.first_chunk::<GCM_TAG>()) {
                (true, Some(tag)) => cipher.open(ssrc, index, &aad, input, tag, out_text),
                (true, None) => {
                    let good = short(&aad, input);
                    if good {
                        // Counter mode is its own inverse; the tag this makes is of no use.
                        cipher.seal(ssrc, index, &aad, input, out_text);
                    }
                    good
                }
                (false, _) => {
                    let good = short(&[message, word].concat(), &[]);
                    if good {
                        out_text.copy_from_slice(input);
                    }
                    good
                }
            }
        }
    };
    if !good {
        return Err(SrtpError::Tag);
    }
    out_clear.copy_from_slice(clear);
    Ok(())
}

/// Encrypts and tags `packet` into `out`, which has exactly the protected length with `mki`. RFC 3711 section 4.1.1: `ssrc` MUST be that of
/// the first header, and `index` SHALL be the 31-bit one, under SRTCP's own keys.
pub(crate) fn seal(keys: &SessionKeys, ssrc: u32, index: u64, mki: &[u8], packet: &[u8], out: &mut [u8]) {
    let (clear, input) = packet.split_at(RTCP_CLEAR);
    let encrypt = keys.rtcp_protection().encrypt;
    // RFC 3711 section 3.4: E is set if, and only if, the packet is encrypted.
    let word = (if encrypt { ENCRYPTED | index as u32 } else { index as u32 }).to_be_bytes();
    let (message, bytes) = out.split_at_mut(packet.len());
    let places = trailer_mut(keys, bytes);
    let (out_clear, text) = message.split_at_mut(RTCP_CLEAR);
    out_clear.copy_from_slice(clear);
    let tag_len = places.tag.len();
    match keys.rtcp.suite() {
        Suite::Cm(cipher) => {
            cipher.crypt(ssrc, index, input, text);
            places.tag.copy_from_slice(&cipher.code(message, &word)[..tag_len]);
        }
        Suite::Gcm(cipher) => {
            let code = if encrypt {
                cipher.seal(ssrc, index, &associated(clear, &word), input, text)
            } else {
                // RFC 7714 section 9.3: all of an unencrypted packet is associated data.
                text.copy_from_slice(input);
                cipher.tag(ssrc, index, &[packet, &word].concat(), &[])
            };
            places.tag.copy_from_slice(&code[..tag_len]);
        }
    }
    places.word.copy_from_slice(&word);
    places.mki.copy_from_slice(mki);
}

/// RFC 7714 section 9.2: the associated data are the clear header, then E flag and index.
fn associated(clear: &[u8], word: &[u8]) -> [u8; RTCP_CLEAR + RTCP_INDEX] {
    let mut aad = [0; RTCP_CLEAR + RTCP_INDEX];
    aad[..RTCP_CLEAR].copy_from_slice(clear);
    aad[RTCP_CLEAR..].copy_from_slice(word);
    aad
}
