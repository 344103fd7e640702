//! How often memory is asked for while packets go by.

#[path = "../../../tests/allocator/mod.rs"]
mod allocator;

/// Packets that are counted; as many go ahead of them, and roll the sequence number over.
pub(crate) const PACKETS: u16 = 500;

/// Allocations of `work` for each of the packets behind the first ones, which make state.
pub(crate) fn allocations(mut work: impl FnMut(u16)) -> u64 {
    let first = u16::MAX - PACKETS / 2;
    (0..PACKETS).for_each(|i| work(first.wrapping_add(i)));
    let before = allocator::allocations();
    (PACKETS..2 * PACKETS).for_each(|i| work(first.wrapping_add(i)));
    allocator::allocations() - before
}

/// That an allocation would be seen.
pub(crate) fn sees_allocations() {
    let seen = allocations(|_| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(seen, u64::from(PACKETS));
}
