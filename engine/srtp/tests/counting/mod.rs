//! An allocator that counts, and how often it is asked while packets go by.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: hands every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Packets that are counted; as many go ahead of them, and roll the sequence number over.
pub(crate) const PACKETS: u16 = 500;

/// Allocations of `work` for each of the packets behind the first ones, which make state.
pub(crate) fn allocations(mut work: impl FnMut(u16)) -> u64 {
    let first = u16::MAX - PACKETS / 2;
    (0..PACKETS).for_each(|i| work(first.wrapping_add(i)));
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (PACKETS..2 * PACKETS).for_each(|i| work(first.wrapping_add(i)));
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// That an allocation would be seen.
pub(crate) fn sees_allocations() {
    let seen = allocations(|_| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(seen, u64::from(PACKETS));
}
