//! GHASH (NIST SP 800-38D section 6.4) with integer multiplications that leave holes for their carries: no table, no
//! branch and no address that depends on a secret.
//!
//! A block is a big-endian `u128`: the coefficient of x^i is bit 127 - i.

use zeroize::Zeroize;

/// A hash key and a running hash. Zeroized on drop.
pub(crate) struct Ghash {
    key: u128,
    sum: u128,
}

impl Ghash {
    /// Starts a hash under `key`.
    pub(crate) fn new(key: u128) -> Ghash {
        Ghash { key, sum: 0 }
    }

    /// Takes in `data`, padded with zeros to whole blocks.
    pub(crate) fn update(&mut self, data: &[u8]) {
        for part in data.chunks(16) {
            let mut block = [0; 16];
            block[..part.len()].copy_from_slice(part);
            self.block(u128::from_be_bytes(block));
        }
    }

    /// Takes in the lengths of additional data and ciphertext, in bytes, and gives the hash.
    pub(crate) fn finish(mut self, aad_len: usize, text_len: usize) -> u128 {
        self.block(((aad_len as u128 * 8) << 64) | (text_len as u128 * 8));
        self.sum
    }

    fn block(&mut self, block: u128) {
        self.sum = multiply(self.sum ^ block, self.key);
    }
}

impl Drop for Ghash {
    fn drop(&mut self) {
        self.key.zeroize();
        self.sum.zeroize();
    }
}

/// The low 64 bits of a product of polynomials over GF(2). Only every fourth bit of a factor is kept at a time, so the
/// at most 15 ones that add up in a place below the top one carry no further than its three neighbours.
#[inline(always)]
fn low_product(a: u64, b: u64) -> u64 {
    const EVERY_FOURTH: u64 = 0x1111_1111_1111_1111;
    let mut product = 0;
    for place in 0..4 {
        let mut sum = 0;
        for i in 0..4 {
            let x = a & (EVERY_FOURTH << i);
            let y = b & (EVERY_FOURTH << ((4 + place - i) % 4));
            sum ^= x.wrapping_mul(y);
        }
        product |= sum & (EVERY_FOURTH << place);
    }
    product
}

/// The whole product of two polynomials of 64 bits. Its high half is the low half of the mirrored factors' product.
#[inline(always)]
fn product(a: u64, b: u64) -> u128 {
    let high = low_product(a.reverse_bits(), b.reverse_bits()).reverse_bits() >> 1;
    (u128::from(high) << 64) | u128::from(low_product(a, b))
}

/// The product of two blocks modulo x^128 + x^7 + x^2 + x + 1.
pub(crate) fn multiply(a: u128, b: u128) -> u128 {
    let (a1, a0, b1, b0) = ((a >> 64) as u64, a as u64, (b >> 64) as u64, b as u64);
    let high = product(a1, b1);
    let low = product(a0, b0);
    let cross = product(a1 ^ a0, b1 ^ b0) ^ high ^ low;
    let (high, low) = (high ^ (cross >> 64), low ^ (cross << 64));
    // Mirrored factors give the mirrored product moved down by one bit.
    let (high, low) = ((high << 1) | (low >> 127), low << 1);
    // `low` holds x^128 and up; x^128 = x^7 + x^2 + x + 1. What that pushes past x^127 again comes round once more.
    let low = low ^ (low << 127) ^ (low << 126) ^ (low << 121);
    high ^ low ^ (low >> 1) ^ (low >> 2) ^ (low >> 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SP 800-38D section 6.3, algorithm 1, bit by bit.
    fn by_the_book(x: u128, y: u128) -> u128 {
        let (mut z, mut v) = (0, y);
        for i in 0..128 {
            if x >> (127 - i) & 1 == 1 {
                z ^= v;
            }
            v = (v >> 1) ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
        }
        z
    }

    #[test]
    fn dense_factors() {
        for a in [0, 1, u128::MAX, 1 << 127, u128::MAX >> 1] {
            for b in [0, 1, u128::MAX, 1 << 127, u128::MAX << 1] {
                assert_eq!(multiply(a, b), by_the_book(a, b));
            }
        }
    }

    proptest! {
        #[test]
        fn equals_the_book(a: u128, b: u128) {
            prop_assert_eq!(multiply(a, b), by_the_book(a, b));
        }
    }
}
