//! The 48-bit packet index and its estimation from 16 bits on the wire (RFC 3711 section 3.3.1 and appendix A).

/// Bits of a sequence number.
pub(crate) const SEQ_BITS: u32 = 16;

/// Bits of a packet index: a 32-bit roll-over counter above a 16-bit sequence number.
pub(crate) const INDEX_BITS: u32 = 48;

/// The index a packet with sequence number `seq` most likely has, when `highest` is the highest index
/// authenticated so far; `None` if it would lie past the last index there is.
///
/// RFC 3711 section 3.3.1: where the sequence number wraps, the sender MUST increment the roll-over counter by one. Sender and receiver
/// both estimate.
///
/// Widths are parameters so that tests can walk through every state of a small one.
#[inline]
pub(crate) fn estimate<const SEQ: u32, const INDEX: u32>(highest: u64, seq: u64) -> Option<u64> {
    let half = 1u64 << (SEQ - 1);
    let last = highest & ((1 << SEQ) - 1);
    let roc = highest >> SEQ;
    // RFC 3711 appendix A:
    //   if (s_l < 32,768) if (SEQ - s_l > 32,768) v = (ROC-1) mod 2^32, else v = ROC
    //   else              if (s_l - 32,768 > SEQ) v = (ROC+1) mod 2^32, else v = ROC
    // Where the RFC would wrap below zero there is no such packet: it can only be a leap ahead within ROC 0.
    // Where it would wrap past 2^32 the key is exhausted, and section 9.2 forbids going on.
    let v = if last < half {
        if seq > last + half { roc.saturating_sub(1) } else { roc }
    } else if last - half > seq {
        roc + 1
    } else {
        roc
    };
    (v >> (INDEX - SEQ) == 0).then_some((v << SEQ) | seq)
}

/// [`estimate`] at the widths of SRTP.
#[inline]
pub(crate) fn estimate_rtp(highest: u64, seq: u16) -> Option<u64> {
    estimate::<SEQ_BITS, INDEX_BITS>(highest, u64::from(seq))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The specification in other words: of all indices with this sequence number the one nearest to `highest`; of two
    /// equally near ones, the one with the same roll-over counter.
    fn nearest<const SEQ: u32, const INDEX: u32>(highest: u64, seq: u64) -> Option<u64> {
        let roc = (highest >> SEQ) as i64;
        let candidates = [roc, roc - 1, roc + 1];
        let near = candidates
            .into_iter()
            .filter(|&v| v >= 0)
            .map(|v| ((v as u64) << SEQ) | seq)
            .min_by_key(|&index| index.abs_diff(highest))
            .expect("the same roll-over counter is always a candidate");
        (near >> INDEX == 0).then_some(near)
    }

    #[test]
    fn every_state_of_small_widths() {
        for highest in 0..1 << 9 {
            for seq in 0..1 << 4 {
                assert_eq!(estimate::<4, 9>(highest, seq), nearest::<4, 9>(highest, seq), "{highest} {seq}");
            }
        }
        for highest in 0..1 << 4 {
            for seq in 0..1 << 2 {
                assert_eq!(estimate::<2, 4>(highest, seq), nearest::<2, 4>(highest, seq), "{highest} {seq}");
            }
        }
    }

    #[test]
    fn edges_of_the_real_width() {
        let rocs = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
        let seqs = [0, 1, 2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0x8002, 0xfffe, 0xffff];
        for roc in rocs {
            for last in seqs {
                for seq in 0..=u16::MAX {
                    let highest = (roc << 16) | last;
                    assert_eq!(estimate_rtp(highest, seq), nearest::<16, 48>(highest, u64::from(seq)));
                }
            }
        }
    }

    #[test]
    fn the_last_index_is_the_last() {
        let last = (1 << 48) - 1;
        assert_eq!(estimate_rtp(last, 0xffff), Some(last));
        assert_eq!(estimate_rtp(last, 0), None);
        assert_eq!(estimate_rtp(last, 0x7ffe), None);
        assert_eq!(estimate_rtp(last, 0x7fff), Some(last - 0x8000));
    }

    proptest! {
        #[test]
        fn nearest_index_everywhere(highest in 0u64..1 << 48, seq: u16) {
            prop_assert_eq!(estimate_rtp(highest, seq), nearest::<16, 48>(highest, u64::from(seq)));
        }

        #[test]
        fn a_sender_within_half_a_turn_is_always_understood(index in 0u64..1 << 48, step in -0x7fffi64..=0x7fff) {
            if let Some(next) = index.checked_add_signed(step).filter(|next| next >> 48 == 0) {
                prop_assert_eq!(estimate_rtp(index, next as u16), Some(next));
            }
        }
    }
}
