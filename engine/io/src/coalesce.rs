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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(destination: u8) -> Path {
        Path::udp(0, ([127, 0, 0, destination], 9).into())
    }

    fn runs_of(packets: &[(u8, usize)]) -> Runs {
        let mut runs = Runs::new(true);
        for (destination, len) in packets {
            assert!(runs.push(&path(*destination), *len));
        }
        runs
    }

    /// `(packets, bytes)` of each run.
    fn shape(packets: &[(u8, usize)]) -> Vec<(usize, usize)> {
        runs_of(packets).as_slice().iter().map(|run| (run.packets, run.len)).collect()
    }

    #[test]
    fn a_frame_of_libwebrtc_is_two_runs() {
        let frame: Vec<_> = [1100; 3].into_iter().chain([1101; 4]).map(|len| (1, len)).collect();
        assert_eq!(shape(&frame), [(3, 3300), (4, 4404)]);
        // The larger ones first, and the shorter one ends the run.
        let frame: Vec<_> = [1101; 3].into_iter().chain([1100; 2]).map(|len| (1, len)).collect();
        assert_eq!(shape(&frame), [(4, 4403), (1, 1100)]);
        // A last packet that is much shorter belongs to it.
        assert_eq!(shape(&[(1, 1100), (1, 1100), (1, 17), (2, 17), (2, 17)]), [(3, 2217), (2, 34)]);
    }

    #[test]
    fn only_udp_and_only_what_has_bytes_is_joined() {
        assert_eq!(shape(&[(1, 0), (1, 0), (1, 5), (1, 0)]), [(1, 0), (1, 0), (1, 5), (1, 0)]);
        let tcp = Path { carrier: Carrier::Tcp(1), ..path(1) };
        let mut runs = Runs::new(true);
        assert!(runs.push(&tcp, 100) && runs.push(&tcp, 100));
        assert_eq!(runs.as_slice().len(), 2);
    }

    #[test]
    fn a_run_has_its_limits() {
        let small = vec![(1, 10); RUN_PACKETS + 1];
        assert_eq!(shape(&small), [(RUN_PACKETS, 10 * RUN_PACKETS), (1, 10)]);
        let large = vec![(1, RUN_BYTES / 2); 3];
        assert_eq!(shape(&large), [(2, RUN_BYTES), (1, RUN_BYTES / 2)]);
        // Longer than any run, alone.
        assert_eq!(shape(&[(1, 65_507), (1, 5)]), [(1, 65_507), (1, 5)]);
    }

    #[test]
    fn a_batch_has_its_limit_and_begins_anew() {
        let mut runs = runs_of(&[(1, 1); TX_BATCH]);
        assert!(!runs.push(&path(1), 1));
        assert_eq!((runs.packets(), runs.bytes()), (TX_BATCH, TX_BATCH));
        runs.clear();
        assert!(runs.is_empty() && runs.bytes() == 0 && runs.push(&path(1), 1));
    }

    /// Frames as they come: a few of one size, or sizes that differ by one, or anything.
    fn packets() -> impl Strategy<Value = Vec<(u8, usize)>> {
        let frame = (1..4_u8, 0..3_usize, 1..40_usize, 0..1500_usize, any::<u64>());
        let frame = frame.prop_map(|(destination, kind, count, len, bits)| -> Vec<_> {
            let len_of = |at: usize| match kind {
                0 => len,
                1 => len + usize::from(at > count / 2),
                _ => (len + (bits >> (at % 50)) as usize) % 1500,
            };
            (0..count).map(|at| (destination, len_of(at))).collect()
        });
        prop::collection::vec(frame, 0..8).prop_map(|frames| {
            let mut all = frames.concat();
            all.truncate(TX_BATCH);
            all
        })
    }

    proptest! {
        #[test]
        fn runs_hold_every_packet_in_order_and_keep_the_kernels_rules(packets in packets()) {
            let runs = runs_of(&packets);
            let mut offset = 0;
            let mut taken = Vec::new();
            for run in runs.as_slice() {
                let lens: Vec<usize> = run.pieces().map(|piece| piece.len()).collect();
                prop_assert_eq!(run.offset, offset);
                prop_assert_eq!((lens.len(), lens.iter().sum::<usize>()), (run.packets, run.len));
                prop_assert!(run.pieces().all(|piece| std::mem::replace(&mut offset, piece.end) == piece.start));
                if run.packets > 1 {
                    let (last, others) = lens.split_last().expect("more than one");
                    prop_assert!(others.iter().all(|len| *len == run.segment) && (1..=run.segment).contains(last));
                    prop_assert!(run.packets <= RUN_PACKETS && run.len <= RUN_BYTES);
                }
                taken.extend(lens.into_iter().map(|len| (run.path, len)));
            }
            let wanted: Vec<_> = packets.iter().map(|(to, len)| (path(*to), *len)).collect();
            prop_assert_eq!(taken, wanted);
            // As long as they may be: no run could have taken the packet behind it.
            for two in runs.as_slice().windows(2) {
                prop_assert!(!two[0].admits(&two[1].path, two[1].segment, RUN_PACKETS));
            }
        }
    }
}
