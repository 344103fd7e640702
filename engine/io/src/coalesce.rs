//! Packets for one destination become one run: what the kernel cuts up again by itself (UDP_SEGMENT).
//!
//! The kernel's rules (udp(7), net/ipv4/udp.c): all packets of a run have one size, only the last may be shorter,
//! and their number and bytes are bounded. libwebrtc cuts a frame into k packets of s bytes and m of s+1: two runs.

use std::ops::Range;

use kaname_wire::path::{Carrier, Path};

use crate::limits::{RUN_BYTES, RUN_PACKETS, TX_BATCH};

/// Packets in a row, in the order of taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) path: Path,
    /// Its first byte in the batch's memory.
    pub(crate) offset: usize,
    /// Bytes of all its packets.
    pub(crate) len: usize,
    /// Bytes of each packet but the last, which has at most as many.
    pub(crate) segment: usize,
    pub(crate) packets: usize,
}

impl Run {
    /// Where each packet lies.
    pub(crate) fn pieces(&self) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let Run { offset, len, segment, packets, .. } = *self;
        (0..packets).map(move |at| offset + at * segment..offset + ((at + 1) * segment).min(len))
    }

    /// Whether a packet may follow.
    fn admits(&self, path: &Path, len: usize, most: usize) -> bool {
        // A shorter packet has ended it; an empty one is no segment.
        let open = self.len == self.packets * self.segment && (1..=self.segment).contains(&len);
        let fits = self.packets < most && self.len + len <= RUN_BYTES;
        open && fits && self.path.carrier == Carrier::Udp && self.path == *path
    }
}

/// The runs of one flush.
#[derive(Debug)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    packets: usize,
    bytes: usize,
    /// Packets a run.
    most: usize,
}

impl Runs {
    /// `coalesce`: false makes each packet a run of its own.
    pub(crate) fn new(coalesce: bool) -> Runs {
        let most = if coalesce { RUN_PACKETS } else { 1 };
        Runs { runs: Vec::with_capacity(TX_BATCH), packets: 0, bytes: 0, most }
    }

    /// Puts a packet behind the others. False: the batch has as many as it takes.
    pub(crate) fn push(&mut self, path: &Path, len: usize) -> bool {
        if self.packets == TX_BATCH {
            return false;
        }
        match self.runs.last_mut() {
            Some(last) if last.admits(path, len, self.most) => {
                last.len += len;
                last.packets += 1;
            }
            _ => self.runs.push(Run { path: *path, offset: self.bytes, len, segment: len, packets: 1 }),
        }
        self.packets += 1;
        self.bytes += len;
        true
    }

    pub(crate) fn as_slice(&self) -> &[Run] {
        &self.runs
    }

    pub(crate) fn packets(&self) -> usize {
        self.packets
    }

    /// Bytes of all packets: where the next one begins.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets == 0
    }

    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        (self.packets, self.bytes) = (0, 0);
    }
}
