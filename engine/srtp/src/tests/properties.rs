//! What must hold for any history of calls.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{PROFILES, header, keying};
use crate::backend::Backend;
use crate::inbound::{Inbound, InboundOptions};
use crate::keying::Profile;
use crate::outbound::{Outbound, OutboundOptions};
use crate::policy::{MasterKey, Policy, Scope, Session};

/// What a caller may do with a sender, as far as indices go.
#[derive(Clone, Debug)]
enum Step {
    Send { ssrc: u32, seq: u16 },
    Report { ssrc: u32 },
    Retire { ssrc: u32 },
    SetRoc { ssrc: u32, roc: u32 },
    SetRtcpIndex { ssrc: u32, index: u32 },
    Rekey { key: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let ssrc = 1u32..4;
    let seq = prop_oneof![0u16..40, 65_500u16..=65_535, 32_700u16..32_800, any::<u16>()];
    prop_oneof![
        20 => (ssrc.clone(), seq).prop_map(|(ssrc, seq)| Step::Send { ssrc, seq }),
        5 => ssrc.clone().prop_map(|ssrc| Step::Report { ssrc }),
        1 => ssrc.clone().prop_map(|ssrc| Step::Retire { ssrc }),
        2 => (ssrc.clone(), 0u32..4).prop_map(|(ssrc, roc)| Step::SetRoc { ssrc, roc }),
        1 => (ssrc, 0u32..20).prop_map(|(ssrc, index)| Step::SetRtcpIndex { ssrc, index }),
        1 => any::<u8>().prop_map(|key| Step::Rekey { key }),
    ]
}

/// What a caller may do with a session that sends. Keys are few, so that each comes back again and again.
#[derive(Clone, Debug)]
enum Change {
    Send { ssrc: u32, seq: u16 },
    Report { ssrc: u32 },
    Remove { ssrc: u32 },
    SetRoc { ssrc: u32, roc: u32 },
    Update { scope: Scope, key: u8, overlap: bool },
    Add { ssrc: u32, key: u8 },
}

fn change() -> impl Strategy<Value = Change> {
    let ssrc = 1u32..4;
    let scope = prop_oneof![Just(Scope::Any), ssrc.clone().prop_map(Scope::Ssrc)];
    let seq = prop_oneof![0u16..10, 65_530u16..=65_535, 32_760u16..32_770];
    prop_oneof![
        20 => (ssrc.clone(), seq).prop_map(|(ssrc, seq)| Change::Send { ssrc, seq }),
        5 => ssrc.clone().prop_map(|ssrc| Change::Report { ssrc }),
        4 => ssrc.clone().prop_map(|ssrc| Change::Remove { ssrc }),
        1 => (ssrc.clone(), 0u32..3).prop_map(|(ssrc, roc)| Change::SetRoc { ssrc, roc }),
        2 => (scope, 0u8..3, any::<bool>())
            .prop_map(|(scope, key, overlap)| Change::Update { scope, key, overlap }),
        2 => (ssrc, 0u8..3).prop_map(|(ssrc, key)| Change::Add { ssrc, key }),
    ]
}

proptest! {
    /// What is sent is all zeros, so what goes out is the keystream. One set for everything: an SSRC's keystream that comes
    /// twice, however its keys changed and came back, fails.
    #[test]
    fn no_keystream_twice_under_policies(
        profile in prop::sample::select(PROFILES.into_iter().filter(|p| p.rtp().encrypt).collect::<Vec<_>>()),
        changes in prop::collection::vec(change(), 1..300),
    ) {
        let policy = |key: u8| {
            Policy { window: 64, ..Policy::new(profile, MasterKey::new(&[key; 32], &[7; 14]).unwrap()) }
        };
        let mut session = Session::new(Backend::best());
        session.add(Scope::Any, policy(0)).unwrap();
        let mut seen = BTreeSet::new();
        let mut out = [0; 128];
        for change in changes {
            match change {
                Change::Send { ssrc, seq } => {
                    let packet = [&header(ssrc, seq, 0, None)[..], &[0; 16]].concat();
                    if session.protect_rtp(&packet, &mut out, None).is_ok() {
                        prop_assert!(seen.insert((ssrc, out[12..28].to_vec())));
                    }
                }
                Change::Report { ssrc } => {
                    let mut packet = [0; 24];
                    packet[..4].copy_from_slice(&[0x80, 201, 0, 5]);
                    packet[4..8].copy_from_slice(&ssrc.to_be_bytes());
                    if session.protect_rtcp(&packet, &mut out, None).is_ok() {
                        prop_assert!(seen.insert((ssrc, out[8..24].to_vec())));
                    }
                }
                Change::Remove { ssrc } => prop_assert!(session.remove(ssrc).is_ok()),
                Change::SetRoc { ssrc, roc } => drop(session.set_roc(ssrc, roc)),
                Change::Update { scope, key, overlap } => drop(session.update(scope, policy(key), overlap)),
                Change::Add { ssrc, key } => drop(session.add(Scope::Ssrc(ssrc), policy(key))),
            }
        }
    }

    /// One set for everything: a nonce that comes twice, under any key ever used, fails.
    #[test]
    fn no_key_ssrc_and_index_twice(steps in prop::collection::vec(step(), 1..400)) {
        let new = |key| {
            let keying = keying(Profile::AeadAes128Gcm, key);
            Outbound::with_options(Backend::best(), &keying, OutboundOptions { window: 64, max_streams: 8 })
        };
        // Re-keying takes a key never used before, as the one who makes keys must.
        let mut keys = BTreeSet::from([0]);
        let mut key = 0;
        let mut sender = new(key);
        let mut rtp = BTreeSet::new();
        let mut rtcp = BTreeSet::new();
        for step in steps {
            match step {
                Step::Send { ssrc, seq } => {
                    if let Ok(index) = sender.take_rtp(ssrc, seq) {
                        prop_assert_eq!(index.index() as u16, seq);
                        prop_assert!(rtp.insert((key, ssrc, index.index())));
                    }
                }
                Step::Report { ssrc } => {
                    let mut packet = [0x80, 201, 0, 1, 0, 0, 0, 0];
                    packet[4..].copy_from_slice(&ssrc.to_be_bytes());
                    let mut out = [0; 64];
                    if let Ok(len) = sender.protect_rtcp(&packet, &mut out) {
                        let word = u32::from_be_bytes(out[len - 4..len].try_into().unwrap());
                        prop_assert!(rtcp.insert((key, ssrc, word)));
                    }
                }
                Step::Retire { ssrc } => prop_assert!(sender.retire_ssrc(ssrc).is_ok()),
                Step::SetRoc { ssrc, roc } => drop(sender.set_roc(ssrc, roc)),
                Step::SetRtcpIndex { ssrc, index } => drop(sender.set_rtcp_index(ssrc, index)),
                Step::Rekey { key: next } => {
                    if keys.insert(next) {
                        key = next;
                        sender = new(key);
                    }
                }
            }
        }
    }

    /// Anything at all, to a session that has a stream: refused, nothing written, and the stream goes on as if it had not come.
    #[test]
    fn garbage_changes_nothing(
        profile in prop::sample::select(PROFILES.to_vec()),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
        like_rtp: bool,
        seq: u16,
    ) {
        let options = InboundOptions { window: 64, max_streams: 2 };
        let mut sender = Outbound::new(Backend::best(), &keying(profile, 1));
        let mut receiver = Inbound::with_options(Backend::best(), &keying(profile, 1), options);
        let mut packet = garbage;
        if like_rtp && packet.len() >= 12 {
            packet[..12].copy_from_slice(&header(7, seq, 0, None));
        }
        let mut send = |seq| {
            let mut wire = vec![0; 200];
            let len = sender.protect_rtp(&header(7, seq, 0, None), b"speech", &mut wire).unwrap();
            wire.truncate(len);
            wire
        };
        let mut plain = [0xee; 256];
        receiver.unprotect_rtp(&send(65_535), &mut plain).unwrap();
        plain.fill(0xee);
        prop_assert!(receiver.unprotect_rtp(&packet, &mut plain).is_err());
        prop_assert!(receiver.unprotect_rtcp(&packet, &mut plain).is_err());
        prop_assert_eq!(plain, [0xee; 256]);
        prop_assert_eq!(receiver.roc(7), Some(0));
        prop_assert_eq!(receiver.unprotect_rtp(&send(0), &mut plain), Ok(18));
        prop_assert_eq!(receiver.roc(7), Some(1));
    }
}
