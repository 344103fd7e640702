//! Nothing is allocated for a packet: not by plain sessions, not by batches, and not under any policy.
//!
//! A binary of its own with a single test, since the allocator counts for the whole process.

mod counting;

use counting::{allocations, sees_allocations};
use kaname_srtp::policy::{Begun, MasterKey, Policy, Scope, Session};
use kaname_srtp::{
    Backend, Inbound, Keying, Outbound, Profile, ProtectJob, UnprotectJob, protect_batch, unprotect_batch,
};

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

/// Packets of policy sessions that go through the kernels together.
fn together(backend: Backend, policy: &Policy, named: Option<usize>) {
    const SESSIONS: usize = 20;
    let mut sessions: [[Session; 2]; SESSIONS] = std::array::from_fn(|_| {
        [(); 2].map(|()| {
            let mut session = Session::new(backend);
            session.add(Scope::Any, policy.clone()).unwrap();
            session
        })
    });
    let (mut plain, mut wires, mut outs) = ([0; 1500], [[0; 1600]; SESSIONS], [[0; 1600]; SESSIONS]);
    // The first packet of an SSRC makes state, and goes by itself.
    let first = packet(u16::MAX / 2, &mut plain);
    for ([sender, receiver], wire) in sessions.iter_mut().zip(&mut wires) {
        let len = sender.protect_rtp(&plain[..first], wire, named).unwrap();
        receiver.unprotect_rtp(&wire[..len], &mut outs[0], named.is_some()).unwrap();
    }
    let count = allocations(|seq| {
        let plain_len = packet(seq, &mut plain);
        let mut len = 0;
        let mut ways = sessions.iter_mut().zip(&mut wires);
        let mut ready: [_; SESSIONS] = std::array::from_fn(|_| {
            let ([sender, _], wire) = ways.next().unwrap();
            let Ok(Begun::Ready(sending)) = sender.begin_protect(&plain[..plain_len], wire, named) else {
                panic!()
            };
            len = sending.protected_len();
            Some(sending)
        });
        let mut jobs: [_; SESSIONS] =
            std::array::from_fn(|at| sessions[at][0].protect_job(ready[at].take().unwrap()).unwrap());
        protect_batch(&mut jobs);
        let mut ways = sessions.iter().zip(&wires).zip(&mut outs);
        let begun: [_; SESSIONS] = std::array::from_fn(|_| {
            let (([_, receiver], wire), out) = ways.next().unwrap();
            receiver.begin_unprotect(&wire[..len], out, named.is_some()).unwrap()
        });
        let mut receivings = [const { None }; SESSIONS];
        let mut at = 0;
        let mut jobs = begun.map(|(receiving, job)| {
            receivings[at] = Some(receiving);
            at += 1;
            job
        });
        unprotect_batch(&mut jobs);
        for (receiving, job) in receivings.iter_mut().flatten().zip(&jobs) {
            receiving.learn(job);
        }
        for (at, receiving) in receivings.iter().flatten().enumerate() {
            let (receiver, mki) = (&mut sessions[at][1], named.is_some());
            receiver.end_unprotect(receiving, &wires[at][..len], &mut outs[at], mki).unwrap();
        }
    });
    assert_eq!(count, 0, "together: {policy:?} on {backend:?}");
}

#[test]
fn no_allocation_for_a_packet() {
    sees_allocations();
    for backend in Backend::all_available() {
        for profile in [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm] {
            plain_sessions(backend, profile);
            let master = MasterKey::new(&[7; 32], &[9; 14]).unwrap();
            let policy = Policy::new(profile, master.clone());
            under(backend, &policy, None);
            together(backend, &policy, None);
            under(backend, &Policy { cryptex: true, ..policy.clone() }, None);
            under(backend, &Policy { encrypted_extensions: vec![1, 2], ..policy.clone() }, None);
            let masters = vec![master.with_mki(&[1, 2]).unwrap()];
            let policy = Policy { masters, ..policy };
            under(backend, &policy, Some(0));
            if profile.rtp().cipher.is_gcm() {
                together(backend, &policy, Some(0));
            }
        }
    }
}
