//! The Internet checksum (RFC 1071): one's complement sums of 16-bit words.

/// Words of 32 bits summed side by side; the compiler makes vector additions of it.
const LANES: usize = 16;

/// A sum that is not folded yet, of words in memory order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds bytes. All pieces but the last must have an even length.
    ///
    /// RFC 1071 section 2 (B) and (C): the sum may be made in any byte order and in wider words, and is folded later.
    pub(super) fn add(self, bytes: &[u8]) -> Sum {
        let mut lanes = [0_u64; LANES];
        let (blocks, rest) = bytes.as_chunks::<{ 4 * LANES }>();
        for block in blocks {
            let (words, _) = block.as_chunks::<4>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane += u64::from(u32::from_ne_bytes(*word));
            }
        }
        let mut sum: u64 = lanes.iter().sum();
        let (words, rest) = rest.as_chunks::<4>();
        sum += words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum::<u64>();
        let (halves, rest) = rest.as_chunks::<2>();
        sum += halves.iter().map(|half| u64::from(u16::from_ne_bytes(*half))).sum::<u64>();
        if let [last] = rest {
            // An odd byte is the first of a word whose second is zero.
            sum += u64::from(u16::from_ne_bytes([*last, 0]));
        }
        // At most 2^32 words of a packet: the sum of two such stays below 2^64.
        Sum(self.0 + sum)
    }

    /// Adds a number that stands in the packet in network order.
    pub(super) fn add_u16(self, value: u16) -> Sum {
        Sum(self.0 + u64::from(value.to_be()))
    }

    /// The checksum as it goes into the packet.
    pub(super) fn finish(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!(sum as u16)).to_ne_bytes()
    }

    /// RFC 768: zero means that there is none, so a sum of zero goes as all ones.
    pub(super) fn finish_udp(self) -> [u8; 2] {
        match self.finish() {
            [0, 0] => [0xff, 0xff],
            sum => sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 section 4.1, word by word.
    fn plain(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 1071 section 3: the sum is ddf2.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().add(&bytes).finish(), (!0xddf2_u16).to_be_bytes());
    }

    proptest! {
        #[test]
        fn it_is_the_plain_sum(
            head in proptest::collection::vec(any::<u16>(), 0..40),
            tail in proptest::collection::vec(any::<u8>(), 0..1600),
            word in any::<u16>(),
        ) {
            let head: Vec<u8> = head.into_iter().flat_map(u16::to_be_bytes).collect();
            let whole = [head.as_slice(), &word.to_be_bytes(), &tail].concat();
            let sum = Sum::default().add(&head).add_u16(word).add(&tail);
            prop_assert_eq!(u16::from_be_bytes(sum.finish()), plain(&whole));
        }
    }

    #[test]
    fn a_sum_of_zero_is_said_to_udp_as_ones() {
        let sum = Sum::default().add(&[0xff, 0xff]);
        assert_eq!((sum.finish(), sum.finish_udp()), ([0, 0], [0xff, 0xff]));
    }
}
