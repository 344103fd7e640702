//! Batches of equal lengths, which the wide kernels work on together, against the portable backend: every length, and where
//! one length follows another.

use super::{header, keying, on_every_backend};
use crate::{
    Backend, Inbound, Outbound, Profile, ProtectJob, SrtpError, UnprotectJob, protect_batch, unprotect_batch,
};

/// Packets of one length: more than a pass of sixteen lanes, with some left over for the narrower kernels.
const RUN: usize = 19;

/// The suites with kernels of their own.
const SUITES: [Profile; 4] =
    [Profile::Aes128CmSha1_80, Profile::Aes256CmSha1_32, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];

struct Packet {
    header: Vec<u8>,
    payload: Vec<u8>,
}

fn packets(lens: impl Iterator<Item = usize>, words: Option<u16>, csrcs: u8) -> Vec<Packet> {
    let packet = |(i, len)| Packet {
        header: header(7, 100 + i as u16, csrcs, words),
        payload: (0..len).map(|byte| (byte * 31 + i) as u8).collect(),
    };
    lens.enumerate().map(packet).collect()
}

fn protect(backend: Backend, profile: Profile, packets: &[Packet]) -> Vec<Vec<u8>> {
    let mut sender = Outbound::new(backend, &keying(profile, 1));
    let indices: Vec<_> = (0..packets.len()).map(|i| sender.take_rtp(7, 100 + i as u16).unwrap()).collect();
    let len = |packet: &Packet| packet.header.len() + packet.payload.len() + sender.rtp_overhead();
    let mut outs: Vec<Vec<u8>> = packets.iter().map(|packet| vec![0; len(packet)]).collect();
    let mut jobs: Vec<_> = packets
        .iter()
        .zip(indices)
        .zip(&mut outs)
        .map(|((packet, index), out)| {
            ProtectJob::new(sender.keys(), index, &packet.header, &packet.payload, out).unwrap()
        })
        .collect();
    protect_batch(&mut jobs);
    drop(jobs);
    outs
}

/// Unprotects a batch of which one packet was damaged.
fn unprotect(backend: Backend, profile: Profile, packets: &[Packet], wires: &mut [Vec<u8>], bad: usize) {
    let receiver = Inbound::new(backend, &keying(profile, 1));
    // Behind the header, whose own lengths would be refused ahead of the tag.
    let header_len = packets[bad].header.len();
    let place = header_len + (wires[bad].len() - header_len) * 2 / 3;
    wires[bad][place] ^= 4;
    let mut outs: Vec<Vec<u8>> = wires.iter().map(|wire| vec![0xee; wire.len()]).collect();
    let mut jobs: Vec<_> = wires
        .iter()
        .zip(&mut outs)
        .map(|(wire, out)| {
            let ticket = receiver.prepare_rtp(wire).unwrap();
            UnprotectJob::new(receiver.keys(), ticket, wire, out).unwrap()
        })
        .collect();
    unprotect_batch(&mut jobs);
    let verdicts: Vec<_> = jobs.into_iter().map(|job| job.finish().map(drop)).collect();
    for (i, (packet, out)) in packets.iter().zip(&outs).enumerate() {
        let plain = [&packet.header[..], &packet.payload].concat();
        if i == bad {
            assert_eq!(verdicts[i], Err(SrtpError::Tag));
            assert!(out.iter().all(|&byte| byte == 0xee), "wrote although the tag was wrong");
        } else {
            assert_eq!(verdicts[i], Ok(()));
            assert_eq!(out[..plain.len()], plain);
            assert!(out[plain.len()..].iter().all(|&byte| byte == 0xee), "wrote past the packet");
        }
    }
}

fn agree(backend: Backend, profile: Profile, packets: &[Packet], bad: usize) {
    let mut wires = protect(backend, profile, packets);
    let sizes = || packets.iter().map(|packet| (packet.header.len(), packet.payload.len()));
    // A packet's bytes hang on its own index alone, so some stand for all.
    let some: Vec<usize> = [0, bad, packets.len() - 1].into();
    let portable = Backend::PORTABLE;
    let mut sender = Outbound::new(portable, &keying(profile, 1));
    for i in some {
        let Packet { header, payload } = &packets[i];
        let mut wire = vec![0; wires[i].len()];
        match sender.protect_rtp(header, payload, &mut wire) {
            Ok(_) => assert!(wire == wires[i], "packet {i} differs: {:?}", sizes().nth(i)),
            Err(error) => assert_eq!(error, SrtpError::IndexTaken),
        }
    }
    unprotect(backend, profile, packets, &mut wires, bad);
}

on_every_backend! {
    fn runs_of_every_length_equal_the_portable_backend(backend) {
        for profile in SUITES {
            for len in 0..1600 {
                // Longer steps where nothing new begins: every place in a vector, in every number of vectors up to two
                // groups, and around the longest that goes the short way.
                if (600..1480).contains(&len) && len % 7 != 0 {
                    continue;
                }
                // The last is more than any kernel takes in ahead of the first text.
                let (words, csrcs) =
                    [(None, 0), (Some(3), 0), (Some(4), 1), (None, 13), (Some(1), 15), (Some(60), 2)][len % 6];
                agree(backend, profile, &packets([len; RUN].into_iter(), words, csrcs), len % RUN);
            }
        }
    }
}

on_every_backend! {
    fn runs_end_where_a_length_changes(backend) {
        for profile in SUITES {
            for seed in 0..60usize {
                // Runs of one to five packets.
                let lens = (0..64usize).map(|i| [20, 160, 161, 1100, 48, 300, 0, 1590][(i / (1 + seed % 5) * 5 + seed) % 8]);
                agree(backend, profile, &packets(lens, None, 0), seed);
            }
        }
    }
}
