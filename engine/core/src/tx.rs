//! The transmit side of the io backend, as the core sees it.

use kaname_wire::path::Path;

/// Hands out transmit slots. The io backend owns them: a contiguous run for one destination, or a frame of a
/// ring. Slots taken for one path leave in the order in which they were taken.
pub trait TxSlots<'a> {
    /// A slot of exactly `len` bytes that will leave on `to`. `None`: full, flush and drain again. What is
    /// taken is always filled.
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]>;
}
