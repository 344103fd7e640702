//! Nothing is allocated for a packet: not by plain sessions, not by batches, and not under any policy.
//!
//! A binary of its own with a single test, since the allocator counts for the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use kaname_srtp::policy::{MasterKey, Policy, Scope, Session};
use kaname_srtp::{
    Backend, Inbound, Keying, Outbound, Profile, ProtectJob, UnprotectJob, protect_batch, unprotect_batch,
};

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
const PACKETS: u16 = 500;

/// Allocations of `work` for each of the packets behind the first ones, which make state.
fn allocations(mut work: impl FnMut(u16)) -> u64 {
    let first = u16::MAX - PACKETS / 2;
    (0..PACKETS).for_each(|i| work(first.wrapping_add(i)));
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (PACKETS..2 * PACKETS).for_each(|i| work(first.wrapping_add(i)));
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// An RTP packet with a CSRC and two header extensions; the payload's length changes from one to the next.
fn packet(seq: u16, room: &mut [u8; 1500]) -> usize {
    let [high, low] = seq.to_be_bytes();
    room[..16].copy_from_slice(&[0x91, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 8]);
    room[16..28].copy_from_slice(&[0xbe, 0xde, 0, 2, 0x10, 7, 0x21, 1, 2, 0, 0, 0]);
    28 + usize::from(seq % 1400)
}

const HEADER: usize = 28;

fn plain_sessions(backend: Backend, profile: Profile) {
    let keying = Keying::new(profile, &[7; 32][..profile.key_len()], &[9; 14][..profile.salt_len()]).unwrap();
    let (mut sender, mut receiver) = (Outbound::new(backend, &keying), Inbound::new(backend, &keying));
    let (mut plain, mut wire, mut out) = ([0; 1500], [0; 1600], [0; 1600]);
    let single = allocations(|seq| {
        let len = packet(seq, &mut plain);
        let (header, payload) = plain[..len].split_at(HEADER);
        let len = sender.protect_rtp(header, payload, &mut wire).unwrap();
        receiver.unprotect_rtp(&wire[..len], &mut out).unwrap();
        assert!(receiver.unprotect_rtp(&wire[..len], &mut out).is_err());
        wire[len - 1] ^= 1;
        assert!(receiver.unprotect_rtp(&wire[..len], &mut out).is_err());
    });
    assert_eq!(single, 0, "one by one: {profile:?} on {backend:?}");

    let mut sessions: Vec<_> =
        (0..20).map(|_| (Outbound::new(backend, &keying), Inbound::new(backend, &keying))).collect();
    let (mut wires, mut outs) = (vec![[0; 1600]; 20], vec![[0; 1600]; 20]);
    let batch = allocations(|seq| {
        let len = packet(seq, &mut plain);
        let (header, payload) = plain[..len].split_at(HEADER);
        let len = len + sessions[0].0.rtp_overhead();
        let ways = sessions.iter_mut().zip(&mut wires);
        let mut jobs: [ProtectJob<'_>; 20] = {
            let mut ways = ways.map(|((sender, _), wire)| {
                let index = sender.take_rtp(9, seq).unwrap();
                ProtectJob::new(sender.keys(), index, header, payload, &mut wire[..len]).unwrap()
            });
            std::array::from_fn(|_| ways.next().unwrap())
        };
        protect_batch(&mut jobs);
        let mut ways = sessions.iter().zip(&wires).zip(&mut outs).map(|(((_, receiver), wire), out)| {
            let ticket = receiver.prepare_rtp(&wire[..len]).unwrap();
            UnprotectJob::new(receiver.keys(), ticket, &wire[..len], out).unwrap()
        });
        let mut jobs: [UnprotectJob<'_>; 20] = std::array::from_fn(|_| ways.next().unwrap());
        unprotect_batch(&mut jobs);
        let proofs = jobs.map(|job| job.finish().unwrap());
        for ((_, receiver), proof) in sessions.iter_mut().zip(proofs) {
            receiver.commit_rtp(proof).unwrap();
        }
    });
    assert_eq!(batch, 0, "in batches: {profile:?} on {backend:?}");
}

fn under(backend: Backend, policy: &Policy, named: Option<usize>) {
    let new = || {
        let mut session = Session::new(backend);
        session.add(Scope::Any, policy.clone()).unwrap();
        session
    };
    let (mut sender, mut receiver) = (new(), new());
    let (mut plain, mut wire, mut out) = ([0; 1500], [0; 1700], [0; 1700]);
    let mut report = [0; 32];
    report[..8].copy_from_slice(&[0x80, 201, 0, 7, 0, 0, 0, 9]);
    // What scratch grows for is the longest packet, not the count of packets.
    let mut longest = [0; 1500];
    packet(0, &mut longest);
    longest[11] = 10;
    let len = sender.protect_rtp(&longest, &mut wire, named).unwrap();
    receiver.unprotect_rtp(&wire[..len], &mut out, named.is_some()).unwrap();
    let count = allocations(|seq| {
        let len = packet(seq, &mut plain);
        let len = sender.protect_rtp(&plain[..len], &mut wire, named).unwrap();
        let len = receiver.unprotect_rtp(&wire[..len], &mut out, named.is_some()).map(|_| len).unwrap();
        assert!(receiver.unprotect_rtp(&wire[..len], &mut out, named.is_some()).is_err());
        let len = sender.protect_rtcp(&report, &mut wire, named).unwrap();
        receiver.unprotect_rtcp(&wire[..len], &mut out, named.is_some()).unwrap();
    });
    assert_eq!(count, 0, "{policy:?} on {backend:?}");
}

#[test]
fn no_allocation_for_a_packet() {
    let seen = allocations(|_| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(seen, u64::from(PACKETS), "an allocation would be seen");
    for backend in Backend::all_available() {
        for profile in [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm] {
            plain_sessions(backend, profile);
            let master = MasterKey::new(&[7; 32], &[9; 14]).unwrap();
            let policy = Policy::new(profile, master.clone());
            under(backend, &policy, None);
            under(backend, &Policy { cryptex: true, ..policy.clone() }, None);
            under(backend, &Policy { encrypted_extensions: vec![1, 2], ..policy.clone() }, None);
            let masters = vec![master.with_mki(&[1, 2]).unwrap()];
            under(backend, &Policy { masters, ..policy }, Some(0));
        }
    }
}
