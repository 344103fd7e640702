//! What a leg costs in memory.

use super::peer::{Peer, Version};
use super::*;

const LEGS: u32 = 1000;

/// Memory of this process, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

#[test]
#[ignore = "full suite: measures the whole process, so it must run alone"]
fn a_secured_leg_without_channels_costs_little() {
    for version in [Version::V12, Version::V13, Version::AnyV12] {
        let mut bench = Bench::new();
        let mut before = 0;
        // The first half fills what is kept for reuse.
        for leg in 0..2 * LEGS {
            if leg == LEGS {
                before = resident();
            }
            let key = LegKey { leg: LegId(leg), ..KEY };
            let mut peer = Peer::new(version, 1400, bench.now);
            bench.secure(key, DtlsParams { data_channels: false, ..peer.params() });
            bench.converse(key, &mut peer, || false);
            bench.events();
        }
        let each = (resident() - before) / LEGS as usize;
        assert!(each < 20 * 1024, "{version:?}: {each} bytes");
    }
}
