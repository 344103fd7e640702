//! Views of what arrived, and slots for what leaves.

use std::marker::PhantomData;
use std::time::Duration;

use kaname_wire::path::Path;

use crate::coalesce::Runs;
use crate::limits::MAX_SLOT;

/// Where a received datagram lies in the backend's memory.
#[derive(Clone, Copy, Debug)]
pub struct RxPacket {
    /// How it came.
    pub path: Path,
    /// Its first byte in the batch's memory.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
    /// The two ECN bits of its IP header (RFC 3168 section 5); 0 where they are not read.
    pub ecn: u8,
    /// How long it had waited when it was received; zero where that is not read.
    pub waited: Duration,
}

impl RxPacket {
    /// A packet of which nothing more is known.
    pub fn new(path: Path, offset: u32, len: u32) -> RxPacket {
        RxPacket { path, offset, len, ecn: 0, waited: Duration::ZERO }
    }
}

/// Datagrams that arrived together; a view on the backend's memory until the next call of the backend.
#[derive(Clone, Copy, Debug)]
pub struct RxBatch<'a> {
    /// Not a slice: elsewhere in the memory of AF_XDP the kernel may be writing.
    base: *const u8,
    len: usize,
    packets: &'a [RxPacket],
    _memory: PhantomData<&'a [u8]>,
}

// SAFETY: it reads as a slice does, and slices of bytes go anywhere.
unsafe impl Send for RxBatch<'_> {}
// SAFETY: as above.
unsafe impl Sync for RxBatch<'_> {}

impl<'a> RxBatch<'a> {
    /// Every packet must lie within the memory; one that does not reads as empty.
    pub fn new(memory: &'a [u8], packets: &'a [RxPacket]) -> Self {
        // SAFETY: a slice is memory that nobody writes while it is borrowed.
        unsafe { RxBatch::over(memory.as_ptr(), memory.len(), packets) }
    }

    /// The same over memory of which others may be writing parts.
    ///
    /// # Safety
    /// `base` is good for reading `len` bytes for as long as the batch lives, and nobody writes where a packet lies.
    pub(crate) unsafe fn over(base: *const u8, len: usize, packets: &'a [RxPacket]) -> Self {
        RxBatch { base, len, packets, _memory: PhantomData }
    }

    /// Number of datagrams.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Nothing arrived.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// What is known of each datagram, in the same order as [`RxBatch::iter`].
    pub fn packets(&self) -> &'a [RxPacket] {
        self.packets
    }

    /// The datagrams in the order of arrival at their socket.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Path, &'a [u8])> + use<'a> {
        let (base, memory_len) = (self.base, self.len);
        self.packets.iter().map(move |packet| {
            let (start, len) = (packet.offset as usize, packet.len as usize);
            if start + len > memory_len {
                return (packet.path, &[][..]);
            }
            // SAFETY: within the memory, which by the word of who made the batch nobody writes there.
            (packet.path, unsafe { std::slice::from_raw_parts(base.add(start), len) })
        })
    }
}

/// Hands out transmit slots.
pub trait Slots<'a> {
    /// A slot of exactly `len` bytes for a packet to `to`; no two slots overlap. Its content is undefined: fill
    /// all of it. `None`: full; flush, then ask again. `len` is at most [`MAX_SLOT`].
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]>;
}

/// The slots of the kernel's UDP: one after another in one piece of memory, so that packets taken in a row for
/// one destination lie in a row.
#[derive(Debug)]
pub struct Tx<'a> {
    free: &'a mut [u8],
    runs: &'a mut Runs,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(memory: &'a mut [u8], runs: &'a mut Runs) -> Self {
        Tx { free: &mut memory[runs.bytes()..], runs }
    }
}

impl<'a> Slots<'a> for Tx<'a> {
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]> {
        debug_assert!(len <= MAX_SLOT, "a packet of {len} bytes cannot be sent");
        if self.free.len() < len || !self.runs.push(to, len) {
            return None;
        }
        let (slot, rest) = std::mem::take(&mut self.free).split_at_mut(len);
        self.free = rest;
        Some(slot)
    }
}

/// What became of a flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Packets handed to the kernel or to a connection's buffer.
    pub sent: usize,
    /// Packets dropped; the reasons are in the [`crate::Counters`].
    pub dropped: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TX_BATCH;

    fn path() -> Path {
        Path::udp(0, ([127, 0, 0, 1], 9).into())
    }

    #[test]
    fn slots_are_disjoint_and_in_a_row() {
        let mut memory = vec![0; 1000];
        let mut runs = Runs::new(false);
        let mut tx = Tx::new(&mut memory, &mut runs);
        let first = tx.take(&path(), 300).expect("free");
        let second = tx.take(&path(), 400).expect("free");
        first.fill(1);
        second.fill(2);
        assert!(tx.take(&path(), 301).is_none());
        // A second hand-out goes on behind the first.
        Tx::new(&mut memory, &mut runs).take(&path(), 300).expect("free").fill(3);
        assert_eq!(memory.iter().map(|b| u32::from(*b)).sum::<u32>(), 300 + 800 + 900);
        assert!(runs.as_slice().windows(2).all(|two| two[0].offset + two[0].len == two[1].offset));
    }

    #[test]
    fn a_batch_has_its_limit() {
        let mut memory = vec![0; 2 * TX_BATCH];
        let mut runs = Runs::new(false);
        let mut tx = Tx::new(&mut memory, &mut runs);
        for _ in 0..TX_BATCH {
            assert!(tx.take(&path(), 1).is_some());
        }
        assert!(tx.take(&path(), 1).is_none());
    }

    #[test]
    fn a_packet_outside_the_memory_reads_as_empty() {
        let packets = [RxPacket::new(path(), 8, 9)];
        let batch = RxBatch::new(&[0; 16], &packets);
        assert_eq!(batch.iter().next().map(|(_, bytes)| bytes.len()), Some(0));
    }
}
