//! Views of what arrived, and slots for what leaves.

use kaname_wire::path::Path;

use crate::limits::{MAX_SLOT, TX_BATCH};

/// Where a received datagram lies in the backend's memory.
#[derive(Clone, Copy, Debug)]
pub struct RxPacket {
    /// How it came.
    pub path: Path,
    /// Its first byte in the batch's memory.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
}

/// Datagrams that arrived together; a view on the backend's memory until the next call of the backend.
#[derive(Clone, Copy, Debug)]
pub struct RxBatch<'a> {
    memory: &'a [u8],
    packets: &'a [RxPacket],
}

impl<'a> RxBatch<'a> {
    /// Every packet must lie within the memory; one that does not reads as empty.
    pub fn new(memory: &'a [u8], packets: &'a [RxPacket]) -> Self {
        RxBatch { memory, packets }
    }

    /// Number of datagrams.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Nothing arrived.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The datagrams in the order of arrival at their socket.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Path, &'a [u8])> + use<'a> {
        let memory = self.memory;
        self.packets.iter().map(move |packet| {
            let start = packet.offset as usize;
            (packet.path, memory.get(start..start + packet.len as usize).unwrap_or_default())
        })
    }
}

/// Hands out transmit slots.
pub trait Slots<'a> {
    /// A slot of exactly `len` bytes for a packet to `to`; no two slots overlap. Its content is undefined: fill
    /// all of it. `None`: full; flush, then ask again. `len` is at most [`MAX_SLOT`].
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]>;
}

/// A packet to send, as its slot was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxPacket {
    pub(crate) path: Path,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// The slots of the kernel's UDP: one after another in one piece of memory, so that packets taken in a row for
/// one destination lie in a row.
#[derive(Debug)]
pub struct Tx<'a> {
    free: &'a mut [u8],
    used: usize,
    packets: &'a mut Vec<TxPacket>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(memory: &'a mut [u8], packets: &'a mut Vec<TxPacket>) -> Self {
        let used = packets.last().map_or(0, |last| last.offset + last.len);
        Tx { free: &mut memory[used..], used, packets }
    }
}

impl<'a> Slots<'a> for Tx<'a> {
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]> {
        debug_assert!(len <= MAX_SLOT, "a packet of {len} bytes cannot be sent");
        if self.packets.len() == TX_BATCH || self.free.len() < len {
            return None;
        }
        let (slot, rest) = std::mem::take(&mut self.free).split_at_mut(len);
        self.free = rest;
        self.packets.push(TxPacket { path: *to, offset: self.used, len });
        self.used += len;
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

    fn path() -> Path {
        Path::udp(0, ([127, 0, 0, 1], 9).into())
    }

    #[test]
    fn slots_are_disjoint_and_in_a_row() {
        let mut memory = vec![0; 1000];
        let mut packets = Vec::with_capacity(TX_BATCH);
        let mut tx = Tx::new(&mut memory, &mut packets);
        let first = tx.take(&path(), 300).expect("free");
        let second = tx.take(&path(), 400).expect("free");
        first.fill(1);
        second.fill(2);
        assert!(tx.take(&path(), 301).is_none());
        // A second hand-out goes on behind the first.
        Tx::new(&mut memory, &mut packets).take(&path(), 300).expect("free").fill(3);
        assert_eq!(memory.iter().map(|b| u32::from(*b)).sum::<u32>(), 300 + 800 + 900);
        assert!(packets.windows(2).all(|two| two[0].offset + two[0].len == two[1].offset));
    }

    #[test]
    fn a_batch_has_its_limit() {
        let mut memory = vec![0; 2 * TX_BATCH];
        let mut packets = Vec::with_capacity(TX_BATCH);
        let mut tx = Tx::new(&mut memory, &mut packets);
        for _ in 0..TX_BATCH {
            assert!(tx.take(&path(), 1).is_some());
        }
        assert!(tx.take(&path(), 1).is_none());
    }

    #[test]
    fn a_packet_outside_the_memory_reads_as_empty() {
        let packets = [RxPacket { path: path(), offset: 8, len: 9 }];
        let batch = RxBatch::new(&[0; 16], &packets);
        assert_eq!(batch.iter().next().map(|(_, bytes)| bytes.len()), Some(0));
    }
}
