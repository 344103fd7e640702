//! Whole sessions: sender to receiver, and everything that must be refused.

use super::{PROFILES, header, keying, on_every_backend};
use crate::batch::{ProtectJob, UnprotectJob, protect_batch, unprotect_batch};
use crate::error::{Fault, SrtpError};
use crate::inbound::{Inbound, InboundOptions};
use crate::keying::Profile;
use crate::outbound::{Outbound, OutboundOptions};

const SSRC: u32 = 0xdead_beef;

/// One protected packet of a sender that may have sent others.
fn protect(sender: &mut Outbound, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; payload.len() + 100];
    let len = sender.protect_rtp(&header(SSRC, seq, 0, None), payload, &mut out).unwrap();
    out.truncate(len);
    out
}

on_every_backend! {
    fn every_size_and_header_round_trips(backend) {
        for profile in PROFILES {
            let mut sender = Outbound::new(backend, &keying(profile, 1));
            let mut receiver = Inbound::new(backend, &keying(profile, 1));
            for seq in 0..400u16 {
                let payload: Vec<u8> = (0..seq).map(|i| (i ^ seq) as u8).collect();
                let header = header(SSRC, seq, (seq % 16) as u8, (seq % 3 > 0).then_some(seq % 5));
                let mut wire = vec![0; header.len() + payload.len() + sender.rtp_overhead()];
                assert_eq!(sender.protect_rtp(&header, &payload, &mut wire), Ok(wire.len()));
                assert_eq!(wire[..header.len()], header);
                let hidden = wire[header.len()..header.len() + payload.len()] != payload;
                assert!(payload.len() < 8 || hidden == profile.rtp().encrypt);
                let mut plain = vec![0xee; wire.len()];
                let len = receiver.unprotect_rtp(&wire, &mut plain).unwrap();
                assert_eq!(plain[..len], [&header[..], &payload].concat());
                assert!(plain[len..].iter().all(|&byte| byte == 0xee), "wrote past the packet");
            }
        }
    }
}

on_every_backend! {
    fn any_changed_bit_is_refused_and_changes_nothing(backend) {
        for profile in PROFILES {
            let mut sender = Outbound::new(backend, &keying(profile, 1));
            let mut receiver = Inbound::new(backend, &keying(profile, 1));
            let first = protect(&mut sender, 7, b"the first packet");
            let wire = protect(&mut sender, 8, b"and the one to damage");
            let mut plain = [0xee; 100];
            receiver.unprotect_rtp(&first, &mut plain).unwrap();
            plain.fill(0xee);
            for bit in 0..wire.len() * 8 {
                let mut bad = wire.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let error = receiver.unprotect_rtp(&bad, &mut plain).unwrap_err();
                assert_eq!(error.fault(), Fault::Peer);
                assert_eq!(plain, [0xee; 100], "wrote although {error}");
            }
            for len in 0..wire.len() {
                receiver.unprotect_rtp(&wire[..len], &mut plain).unwrap_err();
            }
            assert_eq!(plain, [0xee; 100]);
            assert_eq!(receiver.unprotect_rtp(&wire, &mut plain), Ok(12 + 21));
            assert_eq!(receiver.roc(SSRC), Some(0));
        }
    }
}

on_every_backend! {
    fn strangers_leave_no_trace(backend) {
        for profile in PROFILES {
            let mut stranger = Outbound::new(backend, &keying(profile, 2));
            let mut receiver = Inbound::new(backend, &keying(profile, 1));
            let wire = protect(&mut stranger, 7, b"not for you");
            assert_eq!(receiver.unprotect_rtp(&wire, &mut [0; 100]), Err(SrtpError::Tag));
            assert_eq!(receiver.roc(SSRC), None);
        }
    }
}

on_every_backend! {
    fn replays_are_refused_across_the_roll_over(backend) {
        for profile in PROFILES {
            let mut sender = Outbound::new(backend, &keying(profile, 1));
            let mut receiver = Inbound::new(backend, &keying(profile, 1));
            let wires: Vec<_> = [65_533, 65_535, 0, 65_534, 2, 1]
                .map(|seq| protect(&mut sender, seq, &seq.to_be_bytes()))
                .into();
            for wire in &wires {
                receiver.unprotect_rtp(wire, &mut [0; 100]).unwrap();
            }
            for wire in &wires {
                assert_eq!(receiver.unprotect_rtp(wire, &mut [0; 100]), Err(SrtpError::Replayed));
            }
            assert_eq!((receiver.roc(SSRC), sender.roc(SSRC)), (Some(1), Some(1)));
            let far = protect(&mut sender, 30_000, b"far ahead");
            receiver.unprotect_rtp(&far, &mut [0; 100]).unwrap();
            assert_eq!(receiver.unprotect_rtp(&wires[0], &mut [0; 100]), Err(SrtpError::TooOld));
        }
    }
}

on_every_backend! {
    fn two_copies_in_one_batch(backend) {
        for profile in PROFILES {
            let mut sender = Outbound::new(backend, &keying(profile, 1));
            let mut receiver = Inbound::new(backend, &keying(profile, 1));
            let wire = protect(&mut sender, 9, b"twice");
            let (mut a, mut b) = ([0; 64], [0; 64]);
            let tickets = [receiver.prepare_rtp(&wire).unwrap(), receiver.prepare_rtp(&wire).unwrap()];
            let mut jobs: Vec<_> = tickets
                .into_iter()
                .zip([&mut a, &mut b])
                .map(|(ticket, out)| UnprotectJob::new(receiver.keys(), ticket, &wire, out).unwrap())
                .collect();
            unprotect_batch(&mut jobs);
            let mut done: Vec<_> = jobs.into_iter().map(|job| job.finish().unwrap()).collect();
            assert_eq!(receiver.commit_rtp(done.pop().unwrap()), Ok(()));
            assert_eq!(receiver.commit_rtp(done.pop().unwrap()), Err(SrtpError::Replayed));
        }
    }
}

on_every_backend! {
    fn batches_of_all_suites_equal_single_packets(backend) {
        for count in [1, 2, 3, 5, 8, 15, 16, 17, 33, 64, 300] {
            batch_equals_singles(backend, count);
        }
    }
}

on_every_backend! {
    fn one_length_for_all_equals_single_packets(backend) {
        // Fan-out: every remainder of a block, and sizes that go whole and half passes.
        for profile in PROFILES {
            for len in (0..200).chain([1100, 1101, 1450, 1521, 2100]) {
                fan_out_equals_singles(backend, profile, len, [16, 17, 23, 9][len % 4]);
            }
        }
    }
}

fn fan_out_equals_singles(backend: crate::Backend, profile: Profile, len: usize, count: usize) {
    let session = |i: usize| Outbound::new(backend, &keying(profile, i as u8));
    let (mut batched, mut single): (Vec<_>, Vec<_>) = (0..count).map(|i| (session(i), session(i))).unzip();
    let mut receivers: Vec<_> =
        (0..count).map(|i| Inbound::new(backend, &keying(profile, i as u8))).collect();
    let payload: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
    let headers: Vec<_> = (0..count)
        .map(|i| {
            header(
                i as u32 + 1,
                7 + i as u16,
                (len % 3) as u8,
                len.is_multiple_of(2).then_some((len % 5) as u16),
            )
        })
        .collect();
    // Roll-over counters that differ: they stand behind each message.
    for (i, (a, b)) in batched.iter_mut().zip(&mut single).enumerate() {
        for session in [a, b] {
            session.set_roc(i as u32 + 1, 0x0102_0304 * i as u32).unwrap();
        }
        receivers[i].set_roc(i as u32 + 1, 0x0102_0304 * i as u32).unwrap();
    }
    let indices: Vec<_> =
        (0..count).map(|i| batched[i].take_rtp(i as u32 + 1, 7 + i as u16).unwrap()).collect();
    let overhead = batched[0].rtp_overhead();
    let mut outs = vec![vec![0; headers[0].len() + len + overhead]; count];
    let mut jobs: Vec<_> = indices
        .into_iter()
        .zip(&mut outs)
        .enumerate()
        .map(|(i, (index, out))| {
            ProtectJob::new(batched[i].keys(), index, &headers[i], &payload, out).unwrap()
        })
        .collect();
    protect_batch(&mut jobs);
    drop(jobs);
    for ((session, header), out) in single.iter_mut().zip(&headers).zip(&outs) {
        let mut expected = vec![0; out.len()];
        session.protect_rtp(header, &payload, &mut expected).unwrap();
        assert_eq!(*out, expected, "{profile:?} {len}");
    }
    let mut plains = vec![vec![0xee; headers[0].len() + len]; count];
    let bad = len % count;
    let last = outs[bad].len() - 1 - len % 10;
    outs[bad][last] ^= 1;
    let mut jobs: Vec<_> = (0..count)
        .zip(&outs)
        .zip(&mut plains)
        .map(|((i, wire), plain)| {
            let ticket = receivers[i].prepare_rtp(wire).unwrap();
            UnprotectJob::new(receivers[i].keys(), ticket, wire, plain).unwrap()
        })
        .collect();
    unprotect_batch(&mut jobs);
    let done: Vec<_> = jobs.into_iter().map(UnprotectJob::finish).collect();
    for (i, done) in done.into_iter().enumerate() {
        if i == bad {
            assert_eq!(done.unwrap_err(), SrtpError::Tag);
            assert!(plains[i].iter().all(|&byte| byte == 0xee), "wrote ahead of authentication");
        } else {
            receivers[i].commit_rtp(done.unwrap()).unwrap();
            assert_eq!(plains[i], [&headers[i][..], &payload].concat());
        }
    }
}

fn batch_equals_singles(backend: crate::Backend, count: usize) {
    let outbound = |i: usize| Outbound::new(backend, &keying(PROFILES[i % PROFILES.len()], (i % 11) as u8));
    let mut batched: Vec<_> = (0..44).map(outbound).collect();
    let mut single: Vec<_> = (0..44).map(outbound).collect();
    let payload: Vec<u8> = (0..1500).map(|i| (i * 31 % 251) as u8).collect();
    let parts: Vec<_> = (0..count)
        .map(|i| {
            let header =
                header(i as u32 + 1, 65_530 + i as u16 % 6, (i % 3) as u8, (i % 2 == 0).then_some(2));
            // Sizes around every block border, and now and then a large one.
            let len = if i % 7 == 3 { 1000 + i } else { i * 13 % 130 };
            (i % 44, header, &payload[..len])
        })
        .collect();
    let indices: Vec<_> = parts
        .iter()
        .map(|(s, h, _)| {
            batched[*s]
                .take_rtp(u32::from_be_bytes(h[8..12].try_into().unwrap()), u16::from_be_bytes([h[2], h[3]]))
                .unwrap()
        })
        .collect();
    let mut outs: Vec<_> =
        parts.iter().map(|(s, h, p)| vec![0u8; h.len() + p.len() + batched[*s].rtp_overhead()]).collect();
    let mut jobs: Vec<_> = parts
        .iter()
        .zip(indices)
        .zip(&mut outs)
        .map(|(((s, h, p), index), out)| ProtectJob::new(batched[*s].keys(), index, h, p, out).unwrap())
        .collect();
    protect_batch(&mut jobs);
    drop(jobs);
    for ((s, h, p), out) in parts.iter().zip(&outs) {
        let mut expected = vec![0; out.len()];
        single[*s].protect_rtp(h, p, &mut expected).unwrap();
        assert_eq!(*out, expected);
    }

    // Back again, with every fifth packet damaged.
    let mut receivers: Vec<_> = (0..44)
        .map(|i| Inbound::new(backend, &keying(PROFILES[i % PROFILES.len()], (i % 11) as u8)))
        .collect();
    for (i, out) in outs.iter_mut().enumerate() {
        if i % 5 == 4 {
            let at = out.len() - 1 - i % 4;
            out[at] ^= 0x10;
        }
    }
    let mut plains: Vec<_> = outs.iter().map(|out| vec![0xee; out.len()]).collect();
    let mut jobs: Vec<_> = parts
        .iter()
        .zip(&outs)
        .zip(&mut plains)
        .map(|(((s, _, _), wire), plain)| {
            let ticket = receivers[*s].prepare_rtp(wire).unwrap();
            UnprotectJob::new(receivers[*s].keys(), ticket, wire, plain).unwrap()
        })
        .collect();
    unprotect_batch(&mut jobs);
    let done: Vec<_> = jobs.into_iter().map(UnprotectJob::finish).collect();
    for (i, (((s, h, p), plain), done)) in parts.iter().zip(&plains).zip(done).enumerate() {
        if i % 5 == 4 {
            assert_eq!(done.unwrap_err(), SrtpError::Tag);
            assert!(plain.iter().all(|&byte| byte == 0xee), "wrote ahead of authentication");
        } else {
            assert_eq!(plain[..h.len() + p.len()], [h, *p].concat());
            receivers[*s].commit_rtp(done.unwrap()).unwrap();
        }
    }
}

on_every_backend! {
    fn rtcp_round_trips_and_refusals(backend) {
        for profile in PROFILES {
            let mut sender = Outbound::new(backend, &keying(profile, 1));
            let mut receiver = Inbound::new(backend, &keying(profile, 1));
            for len in 8..200usize {
                let mut packet: Vec<u8> = (0..len).map(|i| i as u8).collect();
                packet[0] = 0x81;
                let mut wire = vec![0; len + sender.rtcp_overhead()];
                assert_eq!(sender.protect_rtcp(&packet, &mut wire), Ok(wire.len()));
                let mut plain = vec![0xee; wire.len()];
                let bit = len * 5 % (wire.len() * 8);
                wire[bit / 8] ^= 1 << (bit % 8);
                receiver.unprotect_rtcp(&wire, &mut plain).unwrap_err();
                assert!(plain.iter().all(|&byte| byte == 0xee));
                wire[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(receiver.unprotect_rtcp(&wire, &mut plain), Ok(len));
                assert_eq!(plain[..len], packet);
                assert_eq!(receiver.unprotect_rtcp(&wire, &mut plain), Err(SrtpError::Replayed));
                let e = wire.len() - if profile.is_gcm() { 4 } else { 14 };
                wire[e] ^= 0x80;
                let expected = if profile.rtcp().encrypt { SrtpError::Unencrypted } else { SrtpError::Encrypted };
                assert_eq!(receiver.unprotect_rtcp(&wire, &mut plain), Err(expected));
            }
        }
    }
}

on_every_backend! {
    fn an_index_is_taken_once(backend) {
        let mut sender = Outbound::new(backend, &keying(Profile::AeadAes128Gcm, 1));
        let mut take = |seq| sender.take_rtp(SSRC, seq).map(|index| index.index());
        assert_eq!(take(65_000), Ok(65_000));
        assert_eq!(take(65_000), Err(SrtpError::IndexTaken));
        assert_eq!(take(64_990), Ok(64_990));
        assert_eq!(take(64_990), Err(SrtpError::IndexTaken));
        assert_eq!(take(100), Ok(65_636));
        assert_eq!(take(65_530), Ok(65_530));
        assert_eq!(take(65_000 - 1024), Err(SrtpError::IndexTaken));
    }
}

on_every_backend! {
    fn a_retired_ssrc_never_comes_back(backend) {
        let mut sender = Outbound::new(backend, &keying(Profile::AeadAes128Gcm, 1));
        let _ = sender.take_rtp(1, 1).unwrap();
        sender.retire_ssrc(1).unwrap();
        assert_eq!(sender.take_rtp(1, 1).unwrap_err(), SrtpError::Retired);
        assert_eq!(sender.set_roc(1, 5), Err(SrtpError::Retired));
        assert_eq!(sender.protect_rtcp(&[0x80, 200, 0, 1, 0, 0, 0, 1], &mut [0; 64]), Err(SrtpError::Retired));
        sender.retire_ssrc(2).unwrap();
        assert!(sender.take_rtp(2, 1).is_ok(), "never sent, so nothing to protect");
    }
}

on_every_backend! {
    fn roll_over_counters_can_be_given(backend) {
        let mut sender = Outbound::new(backend, &keying(Profile::Aes128CmSha1_80, 1));
        let mut receiver = Inbound::new(backend, &keying(Profile::Aes128CmSha1_80, 1));
        sender.set_roc(SSRC, 5).unwrap();
        let wire = protect(&mut sender, 10, b"late");
        assert_eq!(receiver.unprotect_rtp(&wire, &mut [0; 64]), Err(SrtpError::Tag));
        receiver.set_roc(SSRC, 5).unwrap();
        assert_eq!(receiver.unprotect_rtp(&wire, &mut [0; 64]), Ok(16));
        assert_eq!((sender.roc(SSRC), receiver.roc(SSRC)), (Some(5), Some(5)));
        // Down is forbidden, the same counter is partly used, and what lies below the new floor counts as taken.
        assert_eq!(sender.set_roc(SSRC, 5), Err(SrtpError::IndexTaken));
        sender.set_roc(SSRC, 6).unwrap();
        assert_eq!(sender.take_rtp(SSRC, 3).unwrap().index(), (6 << 16) | 3);
        assert_eq!(sender.take_rtp(SSRC, 65_535).unwrap_err(), SrtpError::IndexTaken);
    }
}

on_every_backend! {
    fn keys_stop_at_their_limits(backend) {
        let mut sender = Outbound::new(backend, &keying(Profile::AeadAes256Gcm, 1));
        let mut receiver = Inbound::new(backend, &keying(Profile::AeadAes256Gcm, 1));
        sender.set_roc(SSRC, u32::MAX).unwrap();
        receiver.set_roc(SSRC, u32::MAX).unwrap();
        let last = protect(&mut sender, 65_535, b"the last packet of this key");
        assert!(receiver.unprotect_rtp(&last, &mut [0; 64]).is_ok());
        assert_eq!(sender.take_rtp(SSRC, 0).unwrap_err(), SrtpError::KeyExhausted);
        assert_eq!(SrtpError::KeyExhausted.fault(), Fault::Key);
        let mut wrapped = last.clone();
        wrapped[2..4].fill(0);
        assert_eq!(receiver.unprotect_rtp(&wrapped, &mut [0; 64]), Err(SrtpError::KeyExhausted));

        let report = [0x80, 200, 0, 1, 0, 0, 0, 9];
        sender.set_rtcp_index(9, (1 << 31) - 1).unwrap();
        assert!(sender.protect_rtcp(&report, &mut [0; 64]).is_ok());
        assert_eq!(sender.protect_rtcp(&report, &mut [0; 64]), Err(SrtpError::KeyExhausted));
        assert_eq!(sender.set_rtcp_index(9, 1 << 31), Err(SrtpError::KeyExhausted));
    }
}

on_every_backend! {
    fn keys_tickets_and_indices_do_not_mix(backend) {
        let mut a = Outbound::new(backend, &keying(Profile::AeadAes128Gcm, 1));
        let b = Outbound::new(backend, &keying(Profile::AeadAes128Gcm, 1));
        let header = header(SSRC, 1, 0, None);
        let index = a.take_rtp(SSRC, 1).unwrap();
        let error = ProtectJob::new(b.keys(), index, &header, b"x", &mut [0; 29]).err();
        assert_eq!(error, Some(SrtpError::WrongSession));
        let index = a.take_rtp(SSRC, 2).unwrap();
        let error = ProtectJob::new(a.keys(), index, &header, b"x", &mut [0; 29]).err();
        assert_eq!(error, Some(SrtpError::HeaderMismatch));
        let index = a.take_rtp(SSRC + 1, 1).unwrap();
        let error = ProtectJob::new(a.keys(), index, &header, b"x", &mut [0; 29]).err();
        assert_eq!(error, Some(SrtpError::HeaderMismatch));

        let wire = protect(&mut a, 9, b"x");
        let mut first = Inbound::new(backend, &keying(Profile::AeadAes128Gcm, 1));
        let mut second = Inbound::new(backend, &keying(Profile::AeadAes128Gcm, 1));
        let ticket = first.prepare_rtp(&wire).unwrap();
        let error = UnprotectJob::new(second.keys(), ticket, &wire, &mut [0; 29]).err();
        assert_eq!(error, Some(SrtpError::WrongSession));
        let ticket = first.prepare_rtp(&wire).unwrap();
        let mut out = [0; 64];
        let mut job = UnprotectJob::new(first.keys(), ticket, &wire, &mut out).unwrap();
        unprotect_batch(std::slice::from_mut(&mut job));
        assert_eq!(second.commit_rtp(job.finish().unwrap()), Err(SrtpError::WrongSession));
        assert_eq!(first.roc(SSRC), None);
        assert_eq!(first.unprotect_rtp(&wire, &mut [0; 12]), Err(SrtpError::Output));
    }
}

on_every_backend! {
    fn an_authentic_peer_meets_the_stream_limit(backend) {
        let options = InboundOptions { max_streams: 2, ..InboundOptions::default() };
        let keying = keying(Profile::Aes128CmSha1_32, 1);
        let mut receiver = Inbound::with_options(backend, &keying, options);
        let mut sender = Outbound::with_options(backend, &keying, OutboundOptions { max_streams: 4, window: 64 });
        let mut send = |ssrc| {
            let mut out = [0; 64];
            let len = sender.protect_rtp(&header(ssrc, 1, 0, None), b"x", &mut out)?;
            receiver.unprotect_rtp(&out[..len], &mut [0; 64])
        };
        assert_eq!([send(1), send(2), send(3)], [Ok(13), Ok(13), Err(SrtpError::TooManyStreams)]);
        assert!(receiver.remove_ssrc(1));
        assert!(!receiver.remove_ssrc(1));
        let mut out = [0; 64];
        let len = sender.protect_rtp(&header(4, 1, 0, None), b"x", &mut out).unwrap();
        assert_eq!(receiver.unprotect_rtp(&out[..len], &mut [0; 64]), Ok(13));
        assert_eq!(sender.take_rtp(5, 1).unwrap_err(), SrtpError::TooManyStreams);
    }
}

#[test]
fn nothing_secret_is_printed() {
    let keying = keying(Profile::Aes128CmSha1_80, 1);
    let text = format!(
        "{keying:?} {:?} {:?}",
        Inbound::new(crate::Backend::PORTABLE, &keying),
        Outbound::new(crate::Backend::PORTABLE, &keying)
    );
    assert_eq!(
        text,
        "Keying { profile: Aes128CmSha1_80, .. } \
         Inbound { keys: SessionKeys { cipher: AesCm128, backend: portable, .. }, .. } \
         Outbound { keys: SessionKeys { cipher: AesCm128, backend: portable, .. }, .. }"
    );
}
