//! Nothing is allocated for a packet that crosses between shards, or goes through an audio worker: its memory goes
//! round.
//!
//! A binary of its own with a single test, since the allocator counts for the whole process.

mod allocator;
#[path = "allocations/audio.rs"]
mod audio;

use allocator::allocations;
use kaname_core::{Drained, Links, Shard, ShardConfig, Time, TxSlots};
use kaname_engine::core as kaname_core;
use kaname_engine::limits::PARCELS;
use kaname_engine::mesh::Mesh;
use kaname_engine::srtp::Backend;
use kaname_engine::wire::path::Path;

struct NoSlots;

impl<'a> TxSlots<'a> for NoSlots {
    fn take(&mut self, _: &Path, _: usize) -> Option<&'a mut [u8]> {
        None
    }
}

#[test]
fn packets_allocate_nothing() {
    assert_eq!(between_shards(), 0);
    assert_eq!(audio::through_a_worker(), 0);
}

fn between_shards() -> u64 {
    let mesh = Mesh::new(2);
    mesh.furnish(1);
    let mut shard = Shard::new(ShardConfig { backend: Backend::best(), seed: [7; 32] });
    let before = allocations();
    for _ in 0..100 {
        let mut sent = 0;
        let mut links = mesh.links();
        while let Some(parcel) = links.room(1) {
            links.send(1, parcel);
            sent += 1;
        }
        drop(links);
        assert_eq!(sent, PARCELS, "all of them are there again");
        while mesh.deliver(1, &mut shard, Time::ZERO, 256) {
            let drained = shard.drain(Time::ZERO, &mut NoSlots, &mut |_| {});
            assert!(matches!(drained, Drained::Done(_)));
        }
    }
    allocations() - before
}
