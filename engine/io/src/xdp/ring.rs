//! The four rings that an AF_XDP socket shares with the kernel: single producer, single consumer, indices that run on
//! and wrap at 2^32 (Linux: Documentation/networking/af_xdp.rst, "Rings").

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

/// Memory shared with the kernel, unmapped when it goes.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; who reads and writes it is settled by its owner.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Fresh memory of our own, its pages in place.
    pub(super) fn anonymous(len: usize) -> io::Result<Mapping> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        Mapping::check(unsafe { libc::mmap(ptr::null_mut(), len, READ_WRITE, flags, -1, 0) }, len)
    }

    /// A ring of an AF_XDP socket.
    pub(super) fn of_socket(socket: BorrowedFd<'_>, len: usize, offset: u64) -> io::Result<Mapping> {
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        let (fd, offset) = (socket.as_raw_fd(), offset as libc::off_t);
        // SAFETY: as above; the descriptor is open for the length of the borrow.
        Mapping::check(unsafe { libc::mmap(ptr::null_mut(), len, READ_WRITE, flags, fd, offset) }, len)
    }

    fn check(result: *mut libc::c_void, len: usize) -> io::Result<Mapping> {
        match NonNull::new(result.cast()) {
            Some(base) if result != libc::MAP_FAILED => Ok(Mapping { base, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and whole, and nothing derived from it outlives its owner.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Where the parts of a ring lie in its mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) producer: usize,
    pub(super) consumer: usize,
    pub(super) flags: usize,
    pub(super) entries: usize,
}

/// What both ends of a ring are made of.
#[derive(Debug)]
struct Ring<T> {
    producer: *const AtomicU32,
    consumer: *const AtomicU32,
    flags: *const AtomicU32,
    entries: *mut T,
    size: u32,
    /// Keeps the memory.
    _memory: Mapping,
    _entries: PhantomData<T>,
}

// SAFETY: the pointers go into the mapping that moves along; only `&mut self` methods write.
unsafe impl<T: Send> Send for Ring<T> {}

impl<T: Copy> Ring<T> {
    /// `size` entries, a power of two.
    fn new(memory: Mapping, layout: Layout, size: u32) -> Ring<T> {
        assert!(size.is_power_of_two(), "the kernel takes powers of two only");
        let words = [layout.producer, layout.consumer, layout.flags];
        let fits = words.iter().all(|at| at % 4 == 0 && at + 4 <= memory.len())
            && layout.entries.is_multiple_of(align_of::<T>())
            && layout.entries + size as usize * size_of::<T>() <= memory.len();
        assert!(fits, "a ring that lies in its mapping");
        let at = |offset: usize| memory.base().wrapping_add(offset);
        Ring {
            producer: at(layout.producer).cast(),
            consumer: at(layout.consumer).cast(),
            flags: at(layout.flags).cast(),
            entries: at(layout.entries).cast(),
            size,
            _memory: memory,
            _entries: PhantomData,
        }
    }

    fn word(&self, word: *const AtomicU32) -> &AtomicU32 {
        // SAFETY: checked in `new` to lie aligned within the mapping, which lives as long as `self`. The kernel's side
        // writes it atomically.
        unsafe { &*word }
    }

    /// The entry of an index that runs on.
    fn entry(&self, index: u32) -> *mut T {
        self.entries.wrapping_add((index & (self.size - 1)) as usize)
    }
}

/// Our end of a ring that the kernel consumes: fill and transmit.
#[derive(Debug)]
pub(super) struct Producer<T> {
    ring: Ring<T>,
    /// Next to write.
    next: u32,
    /// The other end's index as last seen.
    consumed: u32,
}

impl<T: Copy> Producer<T> {
    pub(super) fn new(memory: Mapping, layout: Layout, size: u32) -> Producer<T> {
        let ring = Ring::new(memory, layout, size);
        let next = ring.word(ring.producer).load(Ordering::Relaxed);
        let consumed = ring.word(ring.consumer).load(Ordering::Acquire);
        Producer { ring, next, consumed }
    }

    /// How many may be pushed now, of `wanted`.
    pub(super) fn room(&mut self, wanted: u32) -> u32 {
        let mut free = self.ring.size - self.next.wrapping_sub(self.consumed);
        if free < wanted {
            self.consumed = self.ring.word(self.ring.consumer).load(Ordering::Acquire);
            free = self.ring.size.saturating_sub(self.next.wrapping_sub(self.consumed));
        }
        free.min(wanted)
    }

    /// Writes an entry; the other end sees it after [`Producer::publish`]. False: no room.
    pub(super) fn push(&mut self, entry: T) -> bool {
        if self.room(1) == 0 {
            return false;
        }
        // SAFETY: the entry lies in the mapping (checked in `new`), and between `consumed` and the size of the ring
        // ahead of it the kernel does not read.
        unsafe { self.ring.entry(self.next).write(entry) };
        self.next = self.next.wrapping_add(1);
        true
    }

    /// Makes what was pushed visible.
    pub(super) fn publish(&mut self) {
        self.ring.word(self.ring.producer).store(self.next, Ordering::Release);
    }

    /// Published and not consumed yet.
    pub(super) fn waiting(&mut self) -> u32 {
        self.consumed = self.ring.word(self.ring.consumer).load(Ordering::Acquire);
        self.next.wrapping_sub(self.consumed)
    }

    /// The kernel sleeps and must be called (`XDP_USE_NEED_WAKEUP`).
    pub(super) fn needs_wakeup(&self) -> bool {
        self.ring.word(self.ring.flags).load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

/// Our end of a ring that the kernel fills: receive and completion.
#[derive(Debug)]
pub(super) struct Consumer<T> {
    ring: Ring<T>,
    /// Next to read.
    next: u32,
}

impl<T: Copy> Consumer<T> {
    pub(super) fn new(memory: Mapping, layout: Layout, size: u32) -> Consumer<T> {
        let ring = Ring::new(memory, layout, size);
        let next = ring.word(ring.consumer).load(Ordering::Relaxed);
        Consumer { ring, next }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u32 {
        // A kernel whose index is nonsense must not make us read an entry twice over.
        self.ring.word(self.ring.producer).load(Ordering::Acquire).wrapping_sub(self.next).min(self.ring.size)
    }

    /// Takes at most `max` entries, in order.
    pub(super) fn take(&mut self, max: u32, mut each: impl FnMut(T)) -> u32 {
        let count = self.waiting().min(max);
        for i in 0..count {
            // SAFETY: the entry lies in the mapping (checked in `new`); the kernel has published it and writes it
            // again only after we have moved on.
            each(unsafe { self.ring.entry(self.next.wrapping_add(i)).read() });
        }
        if count > 0 {
            self.next = self.next.wrapping_add(count);
            self.ring.word(self.ring.consumer).store(self.next, Ordering::Release);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::mem::ManuallyDrop;

    const LAYOUT: Layout = Layout { producer: 0, consumer: 64, flags: 128, entries: 192 };

    /// Both ends over one memory, their indices at `start`.
    fn ends(size: u32, start: u32) -> (Producer<u64>, ManuallyDrop<Consumer<u64>>) {
        let memory = Mapping::anonymous(4096).expect("memory");
        let base = memory.base();
        // SAFETY: both words lie in the mapping, and nobody else has it yet.
        unsafe {
            base.add(LAYOUT.producer).cast::<u32>().write(start);
            base.add(LAYOUT.consumer).cast::<u32>().write(start);
        }
        let alias = Mapping { base: memory.base, len: memory.len };
        // Only one of the two may unmap.
        (Producer::new(memory, LAYOUT, size), ManuallyDrop::new(Consumer::new(alias, LAYOUT, size)))
    }

    proptest! {
        /// Whatever the order of pushes and takes, also across the wrap of the indices: nothing lost, doubled or
        /// out of order, and never more than the size inside.
        #[test]
        fn it_is_a_queue(
            size in (0_u32..6).prop_map(|bits| 1 << bits),
            start in prop_oneof![any::<u32>(), (u32::MAX - 40)..=u32::MAX],
            steps in proptest::collection::vec((any::<bool>(), 0_u32..40), 1..200),
        ) {
            let (mut producer, mut consumer) = ends(size, start);
            let mut model = VecDeque::new();
            let mut next = 0_u64;
            for (push, count) in steps {
                if push {
                    let room = producer.room(count);
                    prop_assert_eq!(room, count.min(size - model.len() as u32));
                    for _ in 0..count {
                        let taken = producer.push(next);
                        prop_assert_eq!(taken, model.len() < size as usize);
                        if taken {
                            model.push_back(next);
                            next += 1;
                        }
                    }
                    producer.publish();
                } else {
                    let expected: Vec<u64> = model.drain(..model.len().min(count as usize)).collect();
                    let mut found = Vec::new();
                    consumer.take(count, |entry| found.push(entry));
                    prop_assert_eq!(found, expected);
                }
                prop_assert_eq!(consumer.waiting() as usize, model.len());
                prop_assert_eq!(producer.waiting() as usize, model.len());
            }
        }
    }

    #[test]
    fn what_is_not_published_is_not_seen() {
        let (mut producer, mut consumer) = ends(4, u32::MAX);
        assert!(producer.push(7));
        assert_eq!(consumer.take(4, |_| panic!("not yet")), 0);
        producer.publish();
        assert_eq!(consumer.take(4, |entry| assert_eq!(entry, 7)), 1);
    }

    #[test]
    #[should_panic(expected = "lies in its mapping")]
    fn a_ring_beyond_its_memory_is_refused() {
        let memory = Mapping::anonymous(4096).expect("memory");
        Producer::<u64>::new(memory, LAYOUT, 512);
    }
}
