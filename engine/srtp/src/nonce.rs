//! Initialisation vectors from salt, SSRC and index. SRTP has a 48-bit index, SRTCP one of 31 bits in the same place.

/// Bytes of an AES-CM session salt.
pub(crate) const CM_SALT: usize = 14;

/// Bytes of an AES-GCM session salt.
pub(crate) const GCM_SALT: usize = 12;

/// Nothing of the key stream is set aside for codes: RFC 3711 section 4.2.1, `SRTP_PREFIX_LENGTH` SHALL be 0. RFC 6188 section 2 has the
/// same for all sizes of keys.
///
/// RFC 3711 section 4.1.1: `IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16)`.
#[inline]
pub(crate) fn cm(salt: &[u8; CM_SALT], ssrc: u32, index: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..CM_SALT].copy_from_slice(salt);
    let iv = u128::from_be_bytes(bytes) ^ (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
    iv.to_be_bytes()
}

/// RFC 7714 sections 8.1 and 9.1: two zero bytes, SSRC and 48 bits of index, XORed with the salt; section 10: MUST be 12 octets.
#[inline]
pub(crate) fn gcm(salt: &[u8; GCM_SALT], ssrc: u32, index: u64) -> [u8; GCM_SALT] {
    let mut iv = *salt;
    let place = (u128::from(ssrc) << 48) | u128::from(index);
    for (iv, byte) in iv.iter_mut().zip(&place.to_be_bytes()[4..]) {
        *iv ^= byte;
    }
    iv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7714_example() {
        // Section 16.1.1: SSRC 5501a0b2, ROC 0, SEQ f17b.
        let iv = gcm(b"Quid pro quo", 0x5501_a0b2, 0xf17b);
        assert_eq!(iv, [0x51, 0x75, 0x3c, 0x65, 0x80, 0xc2, 0x72, 0x6f, 0x20, 0x71, 0x84, 0x14]);
    }

    #[test]
    fn places_of_ssrc_and_index() {
        let iv = cm(&[0; 14], 0x0102_0304, 0x0a0b_0c0d_0e0f);
        assert_eq!(iv, [0, 0, 0, 0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 0, 0]);
    }
}
