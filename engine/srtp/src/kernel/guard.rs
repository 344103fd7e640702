//! Buffers between pages that must not be touched: one byte too far, either way, ends the test with a fault.

use std::ptr::null_mut;

/// Bytes between the forbidden pages.
const ROOM: usize = 16 * 4096;

/// Bytes of a page.
const PAGE: usize = 4096;

/// Which of the forbidden pages a buffer touches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edge {
    Start,
    End,
}

/// Memory with a forbidden page on either side.
pub(crate) struct Guarded(*mut u8);

impl Guarded {
    pub(crate) fn new() -> Guarded {
        let len = ROOM + 2 * PAGE;
        // SAFETY: a fresh private mapping, of which only the middle is made accessible.
        let base = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(null_mut(), len, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            let middle = base.byte_add(PAGE);
            assert_eq!(libc::mprotect(middle, ROOM, libc::PROT_READ | libc::PROT_WRITE), 0);
            middle.cast()
        };
        Guarded(base)
    }

    /// `len` bytes that touch one of the forbidden pages.
    pub(crate) fn at(&mut self, edge: Edge, len: usize) -> &mut [u8] {
        assert!(len <= ROOM);
        let offset = match edge {
            Edge::Start => 0,
            Edge::End => ROOM - len,
        };
        // SAFETY: within the accessible part, which is initialised and borrowed for as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(offset), len) }
    }

    /// A copy of `bytes` that touches one of the forbidden pages.
    pub(crate) fn copy(&mut self, edge: Edge, bytes: &[u8]) -> &mut [u8] {
        let copy = self.at(edge, bytes.len());
        copy.copy_from_slice(bytes);
        copy
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the whole mapping made in `new`, not used any more.
        unsafe { libc::munmap(self.0.sub(PAGE).cast(), ROOM + 2 * PAGE) };
    }
}
