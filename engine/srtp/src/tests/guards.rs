//! Every kernel on buffers that end, or begin, at a page that must not be touched.

use super::{PROFILES, header, keying, on_every_backend};
use crate::inbound::Inbound;
use crate::kernel::guard::{Edge, Guarded};
use crate::outbound::Outbound;
use crate::policy::{MasterKey, Policy, Scope, Session};
use crate::{Backend, Profile};

/// All small payloads, so that every remainder of every vector width occurs, and some large ones.
fn lengths() -> impl Iterator<Item = usize> {
    (0..300).chain([511, 512, 513, 1100, 1199, 1200, 4095, 4097, 20_000, 65_000])
}

fn through(backend: Backend, profile: Profile, edge: Edge) {
    let mut places: [Guarded; 4] = std::array::from_fn(|_| Guarded::new());
    let [header_place, payload_place, wire_place, plain_place] = &mut places;
    let mut sender = Outbound::new(backend, &keying(profile, 1));
    let mut receiver = Inbound::new(backend, &keying(profile, 1));
    for (seq, len) in lengths().enumerate() {
        let words = [None, Some(0), Some(1), Some(3), Some(17)][seq % 5];
        let header = header_place.copy(edge, &header(9, seq as u16, (seq % 4) as u8, words));
        let payload: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        let payload = payload_place.copy(edge, &payload);
        let wire = wire_place.at(edge, header.len() + len + sender.rtp_overhead());
        sender.protect_rtp(header, payload, wire).unwrap();
        let plain = plain_place.at(edge, header.len() + len);
        assert_eq!(receiver.unprotect_rtp(wire, plain), Ok(header.len() + len));
        assert_eq!(plain, [&*header, payload].concat());
    }
    for len in (8..200).chain([1500]) {
        let packet = payload_place.at(edge, len);
        packet.fill(1);
        packet[0] = 0x80;
        let wire = wire_place.at(edge, len + sender.rtcp_overhead());
        sender.protect_rtcp(packet, wire).unwrap();
        let plain = plain_place.at(edge, len);
        assert_eq!(receiver.unprotect_rtcp(wire, plain), Ok(len));
        assert_eq!(plain, packet);
    }
}

on_every_backend! {
    fn no_byte_outside_is_touched(backend) {
        for profile in PROFILES {
            through(backend, profile, Edge::Start);
            through(backend, profile, Edge::End);
        }
    }
}

/// The ways that only policies have: whole packets in and out.
fn under(backend: Backend, policy: &Policy, named: Option<usize>, edge: Edge) {
    let mut places: [Guarded; 3] = std::array::from_fn(|_| Guarded::new());
    let [plain_place, wire_place, out_place] = &mut places;
    let new = || {
        let mut session = Session::new(backend);
        session.add(Scope::Any, policy.clone()).unwrap();
        session
    };
    let (mut sender, mut receiver) = (new(), new());
    let mut made = [0; 1700];
    for (seq, len) in (0..140).chain([1100, 1300]).enumerate() {
        let words = [None, Some(0), Some(1), Some(3)][seq % 4];
        let payload: Vec<u8> = (0..len).map(|i: usize| (i * 7) as u8).collect();
        let packet = [header(9, seq as u16, (seq % 3) as u8, words), payload].concat();
        let packet = plain_place.copy(edge, &packet);
        // How long it gets is known only behind it; the index is taken once.
        let len = sender.protect_rtp(packet, &mut made, named).unwrap();
        let mut again = new();
        let wire = wire_place.at(edge, len);
        assert_eq!(again.protect_rtp(packet, wire, named), Ok(len));
        assert_eq!(wire, &made[..len]);
        let plain = receiver.unprotect_rtp(wire, &mut made, named.is_some()).unwrap();
        let mut again = new();
        let out = out_place.at(edge, plain);
        assert_eq!(again.unprotect_rtp(wire, out, named.is_some()), Ok(plain));
        assert_eq!(out, &made[..plain]);
    }
}

on_every_backend! {
    fn no_byte_outside_is_touched_under_policies(backend) {
        for profile in PROFILES {
            let master = MasterKey::from(&keying(profile, 1));
            let policy = Policy::new(profile, master.clone());
            for edge in [Edge::Start, Edge::End] {
                under(backend, &policy, None, edge);
                let masters = vec![master.clone().with_mki(&[1, 2, 3]).unwrap()];
                under(backend, &Policy { masters, ..policy.clone() }, Some(0), edge);
                if policy.rtp.encrypt {
                    under(backend, &Policy { cryptex: true, ..policy.clone() }, None, edge);
                    under(backend, &Policy { derivation_rate: 16, ..policy.clone() }, None, edge);
                }
            }
        }
    }
}

/// Full batches: lanes of like and unlike lengths, each with its own guarded buffers.
fn batch(backend: Backend, profile: Profile, edge: Edge, count: usize, len: impl Fn(usize) -> usize) {
    let mut wires: Vec<_> = (0..count).map(|_| Guarded::new()).collect();
    let mut payloads: Vec<_> = (0..count).map(|_| Guarded::new()).collect();
    let mut sender = Outbound::new(backend, &keying(profile, 1));
    let mut receiver = Inbound::new(backend, &keying(profile, 1));
    let parts: Vec<_> = (0..count).map(|i| (header(1, i as u16, 0, None), len(i))).collect();
    let indices: Vec<_> = (0..count).map(|i| sender.take_rtp(1, i as u16).unwrap()).collect();
    let mut jobs: Vec<_> = parts
        .iter()
        .zip(indices)
        .zip(wires.iter_mut().zip(&mut payloads))
        .map(|(((header, len), index), (wire, payload))| {
            let out = wire.at(edge, header.len() + len + sender.rtp_overhead());
            crate::ProtectJob::new(sender.keys(), index, header, payload.at(edge, *len), out).unwrap()
        })
        .collect();
    crate::protect_batch(&mut jobs);
    drop(jobs);
    let mut jobs: Vec<_> = parts
        .iter()
        .zip(wires.iter_mut().zip(&mut payloads))
        .map(|((header, len), (wire, plain))| {
            let wire = &*wire.at(edge, header.len() + len + sender.rtp_overhead());
            let ticket = receiver.prepare_rtp(wire).unwrap();
            let out = plain.at(edge, header.len() + len);
            crate::UnprotectJob::new(receiver.keys(), ticket, wire, out).unwrap()
        })
        .collect();
    crate::unprotect_batch(&mut jobs);
    let done: Vec<_> = jobs.into_iter().map(|job| job.finish().unwrap()).collect();
    done.into_iter().for_each(|authentic| receiver.commit_rtp(authentic).unwrap());
}

on_every_backend! {
    fn no_byte_outside_a_batch_is_touched(backend) {
        for profile in PROFILES {
            for edge in [Edge::Start, Edge::End] {
                for count in [1, 2, 3, 7, 11, 16, 40] {
                    batch(backend, profile, edge, count, |i| i * 37 % 260);
                }
                for len in (0..140).chain([1100, 1500]) {
                    batch(backend, profile, edge, 16, |_| len);
                }
            }
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_guard_page_does_fault() {
    // A child process steps over the edge; that it dies shows that these tests can fail.
    // SAFETY: the child only reads one byte and leaves without running anything of the parent's.
    let status = unsafe {
        let child = libc::fork();
        if child == 0 {
            let mut place = Guarded::new();
            let bytes = place.at(Edge::End, 1);
            std::ptr::read_volatile(bytes.as_ptr().add(1));
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status
    };
    // A sanitizer catches the signal and leaves with a code of its own.
    assert!(libc::WIFSIGNALED(status) || libc::WEXITSTATUS(status) != 0);
}
