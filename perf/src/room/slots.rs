//! Transmit slots that lead nowhere: memory as a packet io has it, without the kernel behind it.

use kaname_core::TxSlots;
use kaname_io::TX_BATCH;
use kaname_wire::path::Path;

/// More than any packet here has.
const MAX_PACKET: usize = 1536;

/// Memory of one transmit batch.
pub struct Memory {
    bytes: Vec<u8>,
    room: usize,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Memory {
    /// Room for as many packets as packet io takes at once.
    pub fn new() -> Memory {
        Memory { bytes: vec![0; TX_BATCH * MAX_PACKET], room: TX_BATCH }
    }

    /// No room at all: what would leave waits.
    pub fn full() -> Memory {
        Memory { bytes: Vec::new(), room: 0 }
    }

    /// All slots free again.
    pub fn slots(&mut self) -> Slots<'_> {
        Slots { rest: &mut self.bytes, left: self.room }
    }
}

/// Slots one behind the other.
pub struct Slots<'a> {
    rest: &'a mut [u8],
    left: usize,
}

impl<'a> TxSlots<'a> for Slots<'a> {
    fn take(&mut self, _: &Path, len: usize) -> Option<&'a mut [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (slot, rest) = std::mem::take(&mut self.rest).split_at_mut(len);
        self.rest = rest;
        Some(slot)
    }
}
