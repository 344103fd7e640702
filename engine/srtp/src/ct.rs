//! Comparison in constant time.

/// Whether two strings are equal; how long it takes depends on their lengths only.
#[inline]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0u8, |sum, (a, b)| sum | (a ^ b));
    // Keeps the compiler from leaving the fold at the first difference.
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::equal;

    #[test]
    fn every_bit_counts() {
        let a = [0x5a; 20];
        assert!(equal(&a, &a));
        assert!(!equal(&a, &a[..19]));
        for bit in 0..160 {
            let mut b = a;
            b[bit / 8] ^= 1 << (bit % 8);
            assert!(!equal(&a, &b));
        }
    }
}
