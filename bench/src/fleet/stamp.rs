//! The stamp in every payload of a fleet: whose packet it is, which, and when it was sent. A node may rewrite every field
//! of an RTP header, but not the payload.

/// Bytes in front of the stamp, where a node looks for the codec's own header.
pub(super) const PREFIX: usize = 3;
/// Bytes of prefix, stamp and seal: the shortest payload.
pub(super) const LEN: usize = PREFIX + 24 + 4;

/// What a payload says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The run: packets of another are foreign.
    pub(super) run: u32,
    /// Number of the stream in the run.
    pub(super) stream: u32,
    /// Which packet of the stream, from 0.
    pub(super) index: u64,
    /// Nanoseconds since 1970 when it was handed to the kernel.
    pub(super) sent_ns: u64,
}

impl Stamp {
    /// Writes the stamp behind the prefix, and the seal at the end of `payload`, which has at least [`LEN`] bytes.
    pub(super) fn write(&self, payload: &mut [u8]) {
        let len = payload.len();
        payload[PREFIX..PREFIX + 4].copy_from_slice(&self.run.to_be_bytes());
        payload[PREFIX + 4..PREFIX + 8].copy_from_slice(&self.stream.to_be_bytes());
        payload[PREFIX + 8..PREFIX + 16].copy_from_slice(&self.index.to_be_bytes());
        payload[PREFIX + 16..PREFIX + 24].copy_from_slice(&self.sent_ns.to_be_bytes());
        payload[len - 4..].copy_from_slice(&self.seal(len).to_be_bytes());
    }

    /// Reads a payload; `None` if its end does not fit its beginning or its length.
    pub(super) fn read(payload: &[u8]) -> Option<Stamp> {
        let four = |at: usize| payload.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b));
        let eight = |at: usize| payload.get(at..)?.first_chunk().map(|b| u64::from_be_bytes(*b));
        let stamp = Stamp {
            run: four(PREFIX)?,
            stream: four(PREFIX + 4)?,
            index: eight(PREFIX + 8)?,
            sent_ns: eight(PREFIX + 16)?,
        };
        let len = payload.len();
        (len >= LEN && four(len - 4)? == stamp.seal(len)).then_some(stamp)
    }

    /// Goes with the stamp and the length: a payload put together from two packets, or cut, is noticed.
    fn seal(&self, len: usize) -> u32 {
        let mixed = (self.index ^ self.sent_ns.rotate_left(17) ^ (u64::from(self.stream) << 40) ^ len as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as u32 ^ self.run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_and_a_changed_payload_does_not() {
        let stamp = Stamp { run: 7, stream: 3, index: 1 << 33, sent_ns: 1 << 60 };
        let mut payload = [0x55; 80];
        stamp.write(&mut payload);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert_eq!(Stamp::read(&payload[..79]), None);
        for at in PREFIX..PREFIX + 24 {
            let mut changed = payload;
            changed[at] ^= 1;
            assert!(Stamp::read(&changed) != Some(stamp), "{at}");
        }
        assert_eq!(Stamp::read(&[0; LEN - 1]), None);
        let mut other = payload;
        Stamp { index: 9, ..stamp }.write(&mut other);
        other[76..].copy_from_slice(&payload[76..]);
        assert_eq!(Stamp::read(&other), None, "the end of another packet");
    }
}
