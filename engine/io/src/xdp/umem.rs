//! The memory that packets lie in: frames of one size, some for sending, the rest for receiving.

use std::io;

use super::ring::Mapping;

/// Frames in one piece of memory, shared with the kernel. The first ones are for sending.
#[derive(Debug)]
pub(super) struct Umem {
    memory: Mapping,
    frame: usize,
    tx_frames: u32,
    rx_frames: u32,
}

impl Umem {
    /// `frame` is the size of one, a power of two from 2048 to the page size (Linux: `xdp_umem_reg`).
    pub(super) fn new(frame: usize, tx_frames: u32, rx_frames: u32) -> io::Result<Umem> {
        let memory = Mapping::anonymous(frame * (tx_frames + rx_frames) as usize)?;
        Ok(Umem { memory, frame, tx_frames, rx_frames })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.memory.base()
    }

    pub(super) fn len(&self) -> usize {
        self.memory.len()
    }

    pub(super) fn frame_size(&self) -> usize {
        self.frame
    }

    pub(super) fn tx_frames(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.tx_frames
    }

    pub(super) fn rx_frames(&self) -> impl Iterator<Item = u32> + use<> {
        self.tx_frames..self.tx_frames + self.rx_frames
    }

    /// Where a frame begins.
    pub(super) fn address(&self, frame: u32) -> u64 {
        u64::from(frame) * self.frame as u64
    }

    /// Which frame an address of the kernel's lies in; `None`: in none of ours.
    pub(super) fn frame_of(&self, address: u64) -> Option<u32> {
        let frame = address / self.frame as u64;
        (frame < u64::from(self.tx_frames + self.rx_frames)).then_some(frame as u32)
    }

    /// Bytes of the umem that must lie wholly in one frame; `None` if they do not.
    pub(super) fn bytes(&self, address: u64, len: u32) -> Option<*mut u8> {
        let frame = self.frame_of(address)?;
        let within = (address - self.address(frame)) as usize + len as usize <= self.frame;
        within.then(|| self.base().wrapping_add(address as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_frames() {
        let umem = Umem::new(2048, 2, 3).expect("memory");
        assert_eq!(umem.len(), 5 * 2048);
        assert_eq!(umem.tx_frames().chain(umem.rx_frames()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(umem.frame_of(umem.address(4) + 2047), Some(4));
        assert_eq!(umem.frame_of(5 * 2048), None);
        assert_eq!(umem.frame_of(u64::MAX), None);
        assert!(umem.bytes(2048 + 256, 2048 - 256).is_some());
        assert!(umem.bytes(2048 + 256, 2048 - 255).is_none(), "into the next frame");
        assert!(umem.bytes(5 * 2048, 0).is_none(), "behind the last");
    }
}
