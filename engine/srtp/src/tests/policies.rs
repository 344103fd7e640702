//! Sessions under policies: vectors, and everything that plain sessions do not have.

use super::packets::{CRYPTEX, EXTENSIONS, LONG_KEYS, SUITES};
use super::{PROFILES, header, keying, on_every_backend};
use crate::Backend;
use crate::cipher::{Cipher, Protection};
use crate::error::SrtpError;
use crate::inbound::Inbound;
use crate::keying::Profile;
use crate::outbound::Outbound;
use crate::policy::{MasterKey, Notice, Policy, Scope, Session};
use crate::test_support::{hex, unhex};

const SSRC: u32 = 0xdead_beef;

fn master(seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..32).map(|i: u8| i.wrapping_mul(11) ^ seed).collect();
    MasterKey::new(&bytes, &bytes[..14]).unwrap()
}

fn session(backend: Backend, policy: &Policy) -> Session {
    let mut session = Session::new(backend);
    session.add(Scope::Any, policy.clone()).unwrap();
    session
}

fn packet(seq: u16, payload: &[u8]) -> Vec<u8> {
    [&header(SSRC, seq, 0, None), payload].concat()
}

fn protect(session: &mut Session, packet: &[u8], named: Option<usize>) -> Result<Vec<u8>, SrtpError> {
    let mut out = vec![0xee; packet.len() + 200];
    let len = session.protect_rtp(packet, &mut out, named)?;
    assert!(out[len..].iter().all(|&byte| byte == 0xee), "wrote past the packet");
    out.truncate(len);
    Ok(out)
}

fn unprotect(session: &mut Session, wire: &[u8], mki: bool) -> Result<Vec<u8>, SrtpError> {
    let mut out = vec![0xee; wire.len() + 1];
    match session.unprotect_rtp(wire, &mut out, mki) {
        Ok(len) => {
            assert!(out[len..].iter().all(|&byte| byte == 0xee), "wrote past the packet");
            out.truncate(len);
            Ok(out)
        }
        Err(error) => {
            assert!(out.iter().all(|&byte| byte == 0xee), "wrote although {error}");
            Err(error)
        }
    }
}

fn protect_rtcp(session: &mut Session, packet: &[u8], named: Option<usize>) -> Result<Vec<u8>, SrtpError> {
    let mut out = vec![0; packet.len() + 200];
    let len = session.protect_rtcp(packet, &mut out, named)?;
    out.truncate(len);
    Ok(out)
}

fn unprotect_rtcp(session: &mut Session, wire: &[u8], mki: bool) -> Result<Vec<u8>, SrtpError> {
    let mut out = vec![0; wire.len()];
    let len = session.unprotect_rtcp(wire, &mut out, mki)?;
    out.truncate(len);
    Ok(out)
}

/// Protects `plain` to `wire` and back.
fn both_ways(backend: Backend, policy: &Policy, plain: &str, wire: &str) {
    let (plain, wire) = (unhex(plain), unhex(wire));
    assert_eq!(hex(&protect(&mut session(backend, policy), &plain, None).unwrap()), hex(&wire));
    let mut receiver = session(backend, policy);
    // Every changed bit is refused, then the packet is good.
    for bit in 0..wire.len() * 8 {
        let mut bad = wire.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        unprotect(&mut receiver, &bad, false).unwrap_err();
    }
    assert_eq!(hex(&unprotect(&mut receiver, &wire, false).unwrap()), hex(&plain));
    assert_eq!(unprotect(&mut receiver, &wire, false), Err(SrtpError::Replayed));
}

/// The keys of libsrtp's tests.
fn test_policy(profile: Profile) -> Policy {
    let (key, salt) = if profile.is_gcm() {
        ("000102030405060708090a0b0c0d0e0f", "a0a1a2a3a4a5a6a7a8a9aaab")
    } else {
        ("e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6")
    };
    Policy::new(profile, MasterKey::new(&unhex(key), &unhex(salt)).unwrap())
}

on_every_backend! {
    fn cryptex_of_rfc_9335(backend) {
        for [plain, cm, gcm] in CRYPTEX {
            for (profile, wire) in [(Profile::Aes128CmSha1_80, cm), (Profile::AeadAes128Gcm, gcm)] {
                let policy = Policy { cryptex: true, ..test_policy(profile) };
                both_ways(backend, &policy, plain, wire);
                // Packets without cryptex are understood as well.
                let mut receiver = session(backend, &policy);
                let ordinary = protect(&mut session(backend, &test_policy(profile)), &unhex(plain), None).unwrap();
                assert_eq!(hex(&unprotect(&mut receiver, &ordinary, false).unwrap()), plain);
            }
        }
    }
}

on_every_backend! {
    fn cryptex_adds_an_extension_for_csrcs_and_refuses_what_it_cannot_hide(backend) {
        for profile in PROFILES {
            let policy = Policy { cryptex: true, ..Policy::new(profile, MasterKey::from(&keying(profile, 3))) };
            let (mut sender, mut receiver) = (session(backend, &policy), session(backend, &policy));
            let plain = [&header(SSRC, 1, 3, None)[..], b"payload"].concat();
            let wire = protect(&mut sender, &plain, None).unwrap();
            assert_eq!(wire.len(), plain.len() + 4 + profile.rtp_tag_len());
            assert_eq!(wire[12..24] != plain[12..24], policy.rtp.encrypt);
            let mut expected = [&header(SSRC, 1, 3, Some(0))[..], b"payload"].concat();
            expected[0] |= 0x10;
            assert_eq!(unprotect(&mut receiver, &wire, false), Ok(expected));
            // Nothing to hide: an ordinary packet.
            let wire = protect(&mut sender, &packet(2, b"bare"), None).unwrap();
            assert_eq!(unprotect(&mut receiver, &wire, false), Ok(packet(2, b"bare")));
            let mut strange = [&header(SSRC, 3, 0, Some(1))[..], b"x"].concat();
            strange[12] = 0x77;
            assert_eq!(protect(&mut sender, &strange, None), Err(SrtpError::Extension));
        }
    }
}

on_every_backend! {
    fn cryptex_and_encrypted_extensions_never_meet_in_one_packet(backend) {
        // RFC 9335 section 4: a packet encrypted with one MUST NOT be encrypted with the other.
        let [[plain, cm, _], ..] = CRYPTEX;
        let policy = Policy {
            cryptex: true,
            encrypted_extensions: (1..15).collect(),
            ..test_policy(Profile::Aes128CmSha1_80)
        };
        both_ways(backend, &policy, plain, cm);
        // What comes with encrypted extensions instead is understood just so.
        let other = Policy { cryptex: false, ..policy.clone() };
        let wire = protect(&mut session(backend, &other), &unhex(plain), None).unwrap();
        assert_ne!(hex(&wire), cm);
        assert_eq!(hex(&unprotect(&mut session(backend, &policy), &wire, false).unwrap()), plain);
    }
}

on_every_backend! {
    fn a_derivation_rate_stays_as_long_as_its_key(backend) {
        let policy = Policy::new(Profile::Aes128CmSha1_80, master(1));
        let mut session = session(backend, &policy);
        // RFC 3711 section 4.3.1: the rate is fixed for the lifetime of the master key.
        let faster = Policy { derivation_rate: 16, ..policy };
        assert_eq!(session.update(Scope::Any, faster.clone(), false), Err(SrtpError::Policy));
        assert_eq!(session.add(Scope::Ssrc(SSRC), faster.clone()), Err(SrtpError::Policy));
        let fresh = Policy { masters: vec![master(3)], ..faster };
        assert_eq!(session.update(Scope::Any, fresh, false), Ok(()));
    }
}

on_every_backend! {
    fn extensions_of_rfc_6904(backend) {
        // libsrtp's GCM packet has the key of the counter mode one, and the first twelve bytes of its salt.
        let key = unhex("e1f97a0d3e018be0d64fa32c06de4139");
        let salt = unhex("0ec675ad498afeebb6960b3aabe6");
        let [plain, cm, gcm] = EXTENSIONS;
        for (profile, salt, wire) in
            [(Profile::Aes128CmSha1_80, &salt[..], cm), (Profile::AeadAes128Gcm, &salt[..12], gcm)]
        {
            let policy = Policy {
                encrypted_extensions: vec![1, 3, 4],
                ..Policy::new(profile, MasterKey::new(&key, salt).unwrap())
            };
            both_ways(backend, &policy, plain, wire);
            let mut sender = session(backend, &policy);
            for profile_bytes in [[0x77, 0x77], [0xbe, 0xde]] {
                let mut bad = unhex(plain);
                bad[12..14].copy_from_slice(&profile_bytes);
                bad[31] = 0x4f;
                assert_eq!(protect(&mut sender, &bad, None), Err(SrtpError::Extension));
            }
            assert!(protect(&mut sender, &unhex(plain), None).is_ok());
        }
    }
}

on_every_backend! {
    fn long_keys_of_rfc_6188(backend) {
        for ([key, plain, wire], profile) in
            LONG_KEYS.into_iter().zip([Profile::Aes192CmSha1_80, Profile::Aes256CmSha1_80])
        {
            let key = unhex(key);
            let (key, salt) = key.split_at(profile.key_len());
            both_ways(backend, &Policy::new(profile, MasterKey::new(key, salt).unwrap()), plain, wire);
        }
    }
}

on_every_backend! {
    fn suites_of_libsrtp(backend) {
        for ([plain, report, wire, wire_report], profile) in SUITES.into_iter().zip([
            Profile::Aes128CmSha1_80,
            Profile::NullSha1_80,
            Profile::AeadAes128Gcm,
        ]) {
            let policy = Policy { first_rtcp_index: 1, ..test_policy(profile) };
            both_ways(backend, &policy, plain, wire);
            let out = protect_rtcp(&mut session(backend, &policy), &unhex(report), None).unwrap();
            assert_eq!(hex(&out), wire_report);
            let back = unprotect_rtcp(&mut session(backend, &policy), &out, false).unwrap();
            assert_eq!(hex(&back), report);
        }
    }
}

on_every_backend! {
    fn a_session_equals_inbound_and_outbound(backend) {
        for profile in PROFILES {
            let keying = keying(profile, 5);
            let policy = Policy::new(profile, MasterKey::from(&keying));
            let (mut sender, mut receiver) = (session(backend, &policy), session(backend, &policy));
            let mut outbound = Outbound::new(backend, &keying);
            let mut inbound = Inbound::new(backend, &keying);
            for seq in [65_530u16, 65_535, 3, 65_533, 100] {
                let plain = packet(seq, &seq.to_be_bytes());
                let mut expected = vec![0; 100];
                let len = outbound.protect_rtp(&plain[..12], &plain[12..], &mut expected).unwrap();
                let wire = protect(&mut sender, &plain, None).unwrap();
                assert_eq!(wire, expected[..len]);
                assert_eq!(unprotect(&mut receiver, &wire, false), Ok(plain));
                assert_eq!(inbound.unprotect_rtp(&wire, &mut expected), Ok(14));
                assert_eq!(sender.roc(SSRC), outbound.roc(SSRC));
                assert_eq!(receiver.roc(SSRC), inbound.roc(SSRC));
            }
            assert_eq!(protect(&mut sender, &packet(3, b"again"), None), Err(SrtpError::IndexTaken));
        }
    }
}

on_every_backend! {
    fn an_mki_chooses_the_key(backend) {
        for profile in PROFILES {
            let masters = vec![
                master(1).with_mki(&[1]).unwrap(),
                master(2).with_mki(&[9, 9, 2]).unwrap(),
                master(3).with_mki(&[7; 128]).unwrap(),
            ];
            let policy = Policy { masters, ..Policy::new(profile, master(0)) };
            let (mut sender, mut receiver) = (session(backend, &policy), session(backend, &policy));
            for (seq, (named, len)) in [(0, 1), (1, 3), (2, 128), (1, 3)].into_iter().enumerate() {
                let plain = packet(seq as u16, b"under one key or another");
                let wire = protect(&mut sender, &plain, Some(named)).unwrap();
                assert_eq!(wire.len(), plain.len() + len + profile.rtp_tag_len());
                assert_eq!(sender.rtp_overhead(Some(named)), Some(len + profile.rtp_tag_len()));
                let mut bad = wire.clone();
                let place = wire.len() - if profile.is_gcm() { 1 } else { 1 + profile.rtp_tag_len() };
                bad[place] ^= 0x20;
                assert_eq!(unprotect(&mut receiver, &bad, true), Err(SrtpError::Mki));
                assert_eq!(unprotect(&mut receiver, &wire, true), Ok(plain));

                let report = [0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef];
                let wire = protect_rtcp(&mut sender, &report, Some(named)).unwrap();
                assert_eq!(wire.len(), report.len() + len + 4 + profile.rtcp_tag_len());
                assert_eq!(unprotect_rtcp(&mut receiver, &wire, true), Ok(report.to_vec()));
            }
            assert_eq!(protect(&mut sender, &packet(50, b"x"), Some(3)), Err(SrtpError::Mki));
            assert_eq!(receiver.unprotect_rtp(&packet(60, b""), &mut [0; 99], true), Err(SrtpError::Mki));
        }
    }
}

on_every_backend! {
    fn keys_are_derived_anew_at_the_rate(backend) {
        for profile in PROFILES {
            let policy = Policy { derivation_rate: 16, ..Policy::new(profile, master(4)) };
            let (mut sender, mut receiver) = (session(backend, &policy), session(backend, &policy));
            let mut plainly = session(backend, &Policy::new(profile, master(4)));
            // Late and early packets around a border, and over a roll-over.
            for seq in [14u16, 17, 15, 16, 33, 31, 32, 40_000, 65_535, 2, 65_520, 16] {
                let plain = packet(seq, b"derived and derived again");
                let wire = protect(&mut sender, &plain, None).unwrap();
                let same = wire == protect(&mut plainly, &plain, None).unwrap();
                assert_eq!(same, sender.roc(SSRC) == Some(0) && seq < 16, "{seq}");
                assert_eq!(unprotect(&mut receiver, &wire, false), Ok(plain));
            }
            for _ in 0..40 {
                let report = [0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef];
                let wire = protect_rtcp(&mut sender, &report, None).unwrap();
                assert_eq!(unprotect_rtcp(&mut receiver, &wire, false), Ok(report.to_vec()));
            }
        }
    }
}

on_every_backend! {
    fn a_change_of_keys_loses_nothing(backend) {
        for profile in PROFILES {
            let (old, new) = (Policy::new(profile, master(1)), Policy::new(profile, master(2)));
            let (mut sender, mut receiver) = (session(backend, &old), session(backend, &old));
            let early = protect(&mut sender, &packet(65_530, b"early"), None).unwrap();
            let under_way = protect(&mut sender, &packet(65_531, b"under way"), None).unwrap();
            let later = protect(&mut sender, &packet(65_532, b"later"), None).unwrap();
            assert!(unprotect(&mut receiver, &early, false).is_ok());
            receiver.update(Scope::Any, new.clone(), true).unwrap();
            sender.update(Scope::Any, new, false).unwrap();
            let fresh = protect(&mut sender, &packet(3, b"new key, next turn"), None).unwrap();
            assert_eq!(sender.roc(SSRC), Some(1), "the roll-over counter goes on");
            assert!(unprotect(&mut receiver, &fresh, false).is_ok());
            assert!(unprotect(&mut receiver, &under_way, false).is_ok());
            assert_eq!(unprotect(&mut receiver, &early, false), Err(SrtpError::Replayed));
            receiver.end_overlap();
            assert_eq!(unprotect(&mut receiver, &later, false), Err(SrtpError::Tag));
        }
    }
}

on_every_backend! {
    fn lifetimes_choose_the_key(backend) {
        for profile in PROFILES {
            let masters = vec![master(1).with_lifetime(0, 99), master(2).with_lifetime(100, 199)];
            let policy = Policy { masters, ..Policy::new(profile, master(0)) };
            let (mut sender, mut receiver) = (session(backend, &policy), session(backend, &policy));
            let wires: Vec<_> = [98u16, 99, 100, 101, 199]
                .map(|seq| protect(&mut sender, &packet(seq, b"x"), None).unwrap())
                .into();
            for wire in wires.iter().rev() {
                assert!(unprotect(&mut receiver, wire, false).is_ok());
            }
            assert_eq!(protect(&mut sender, &packet(200, b"x"), None), Err(SrtpError::KeyExhausted));
            let mut second = session(backend, &Policy::new(profile, master(2)));
            assert!(unprotect(&mut second, &wires[2], false).is_ok());
            assert_eq!(unprotect(&mut second, &wires[1], false), Err(SrtpError::Tag));
        }
    }
}

on_every_backend! {
    fn services_are_switched_by_protocol(backend) {
        let report = [0x81, 201, 0, 2, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4];
        for cipher in [Cipher::Null, Cipher::AesCm128, Cipher::AesCm192, Cipher::AesCm256, Cipher::AeadAes128Gcm] {
            for (encrypt, tag_len) in [(true, 0), (true, 4), (true, 8), (true, 16), (true, 20), (false, 0), (false, 8), (false, 16)] {
                let protection = Protection { cipher, encrypt, tag_len };
                // An AEAD without encryption is one for SRTCP only.
                let rtp = Protection { encrypt: encrypt || cipher.is_gcm(), ..protection };
                let policy = Policy { rtp, rtcp: protection, ..Policy::new(Profile::Aes256CmSha1_80, master(9)) };
                let mut sender = Session::new(backend);
                if cipher.is_gcm() && !matches!(tag_len, 8 | 16) {
                    assert_eq!(sender.add(Scope::Any, policy), Err(SrtpError::Policy));
                    continue;
                }
                sender.add(Scope::Any, policy.clone()).unwrap();
                let mut receiver = session(backend, &policy);
                let plain = packet(1, b"seen or not seen");
                let wire = protect(&mut sender, &plain, None).unwrap();
                assert_eq!(wire.len(), plain.len() + tag_len);
                let hidden = wire[12..28] != plain[12..28];
                assert_eq!(hidden, rtp.encrypt && cipher != Cipher::Null);
                let mut bad = wire.clone();
                bad[20] ^= 1;
                assert_eq!(unprotect(&mut session(backend, &policy), &bad, false).is_ok(), tag_len == 0);
                assert_eq!(unprotect(&mut receiver, &wire, false), Ok(plain));

                let wire = protect_rtcp(&mut sender, &report, None).unwrap();
                let e = wire.len() - 4 - if cipher.is_gcm() { 0 } else { tag_len };
                assert_eq!(wire[e] & 0x80 != 0, encrypt);
                let mut bad = wire.clone();
                bad[9] ^= 1;
                assert_eq!(unprotect_rtcp(&mut receiver, &bad, false).is_ok(), tag_len == 0);
                let mut receiver = session(backend, &policy);
                assert_eq!(unprotect_rtcp(&mut receiver, &wire, false), Ok(report.to_vec()));
                bad = wire;
                bad[e] ^= 0x80;
                let refused = unprotect_rtcp(&mut receiver, &bad, false).unwrap_err();
                assert_eq!(refused, if encrypt { SrtpError::Unencrypted } else { SrtpError::Encrypted });
            }
        }
    }
}

on_every_backend! {
    fn streams_have_keys_of_their_own_beside_the_wildcard(backend) {
        let wild = Policy::new(Profile::AeadAes128Gcm, master(1));
        let own = Policy::new(Profile::Aes128CmSha1_32, master(2));
        let mut sender = Session::new(backend);
        assert_eq!(protect(&mut sender, &packet(1, b"x"), None), Err(SrtpError::NoStream));
        sender.add(Scope::Ssrc(SSRC), own.clone()).unwrap();
        assert_eq!(sender.add(Scope::Ssrc(SSRC), own.clone()), Err(SrtpError::Policy));
        let other = [&header(1, 1, 0, None)[..], b"x"].concat();
        assert_eq!(protect(&mut sender, &other, None), Err(SrtpError::NoStream));
        assert_eq!(sender.rtp_overhead(None), Some(4));
        sender.add(Scope::Any, wild.clone()).unwrap();
        assert_eq!(sender.add(Scope::Any, wild.clone()), Err(SrtpError::Policy));
        assert_eq!(sender.rtp_overhead(None), Some(16));
        let (a, b) = (protect(&mut sender, &packet(1, b"x"), None).unwrap(), protect(&mut sender, &other, None).unwrap());
        assert!(unprotect(&mut session(backend, &own), &a, false).is_ok());
        assert!(unprotect(&mut session(backend, &wild), &b, false).is_ok());
        // A change of the wildcard leaves the stream's own keys alone.
        sender.update(Scope::Any, own.clone(), false).unwrap();
        sender.update(Scope::Ssrc(SSRC), wild.clone(), false).unwrap();
        assert_eq!(sender.update(Scope::Ssrc(77), wild.clone(), false), Err(SrtpError::NoStream));
        let wire = protect(&mut sender, &packet(2, b"x"), None).unwrap();
        assert!(unprotect(&mut session(backend, &wild), &wire, false).is_ok());
    }
}

on_every_backend! {
    fn what_was_sent_stays_sent(backend) {
        let policy = Policy::new(Profile::AeadAes128Gcm, master(1));
        let mut sender = session(backend, &policy);
        protect(&mut sender, &packet(7, b"once"), None).unwrap();
        assert_eq!(sender.remove(SSRC), Ok(true));
        assert_eq!(sender.remove(SSRC), Ok(false));
        assert_eq!(protect(&mut sender, &packet(7, b"twice?"), None), Err(SrtpError::IndexTaken));
        protect(&mut sender, &packet(8, b"next"), None).unwrap();
        sender.remove(SSRC).unwrap();
        // Under a key that never saw the SSRC it begins again.
        sender.add(Scope::Ssrc(SSRC), Policy::new(Profile::AeadAes128Gcm, master(2))).unwrap();
        protect(&mut sender, &packet(7, b"other key"), None).unwrap();

        let mut repeating = session(backend, &Policy { allow_repeat: true, ..policy });
        let first = protect(&mut repeating, &packet(7, b"same"), None);
        assert_eq!(protect(&mut repeating, &packet(7, b"same"), None), first);
    }
}

on_every_backend! {
    fn a_late_joiner_is_told_the_roll_over_counter(backend) {
        let policy = Policy::new(Profile::Aes128CmSha1_80, master(1));
        let (mut sender, mut receiver) = (session(backend, &policy), session(backend, &policy));
        protect(&mut sender, &packet(1, b"x"), None).unwrap();
        assert_eq!(receiver.set_roc(SSRC, 5), Err(SrtpError::NoStream));
        receiver.add(Scope::Ssrc(SSRC), policy).unwrap();
        sender.set_roc(SSRC, 5).unwrap();
        let wire = protect(&mut sender, &packet(9, b"late"), None).unwrap();
        assert_eq!(unprotect(&mut receiver, &wire, false), Err(SrtpError::Tag));
        receiver.set_roc(SSRC, 5).unwrap();
        assert!(unprotect(&mut receiver, &wire, false).is_ok());
        assert_eq!((sender.roc(SSRC), receiver.roc(SSRC)), (Some(5), Some(5)));
        // Setting it back does not open the way for replays.
        receiver.set_roc(SSRC, 5).unwrap();
        assert_eq!(unprotect(&mut receiver, &wire, false), Err(SrtpError::Replayed));
    }
}

on_every_backend! {
    fn owners_are_told_of_limits_and_collisions(backend) {
        let policy = Policy::new(Profile::AeadAes128Gcm, master(1));
        let mut sender = session(backend, &policy);
        sender.age((1 << 48) - (1 << 16), (1 << 31) - 1);
        let wire = protect(&mut sender, &packet(1, b"x"), None).unwrap();
        assert_eq!(sender.take_notice(), Some((SSRC, Notice::KeyNearlyExhausted)));
        assert_eq!(sender.take_notice(), None);
        sender.age((1 << 48) - 1, (1 << 31) - 1);
        assert!(protect(&mut sender, &packet(2, b"x"), None).is_ok());
        assert_eq!(protect(&mut sender, &packet(3, b"x"), None), Err(SrtpError::KeyExhausted));
        assert_eq!(sender.take_notice(), Some((SSRC, Notice::KeyExhausted)));
        let report = [0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef];
        assert!(protect_rtcp(&mut sender, &report, None).is_ok());
        assert_eq!(protect_rtcp(&mut sender, &report, None), Err(SrtpError::KeyExhausted));

        let mut both = session(backend, &policy);
        assert!(unprotect(&mut both, &wire, false).is_ok());
        assert_eq!(both.take_notice(), None);
        assert!(protect(&mut both, &packet(9, b"x"), None).is_ok());
        assert_eq!(both.take_notice(), Some((SSRC, Notice::Collision)));
    }
}

#[test]
fn impossible_policies_are_refused() {
    let good = Policy::new(Profile::Aes128CmSha1_80, master(1));
    let gcm = Policy::new(Profile::AeadAes128Gcm, master(1));
    let short = MasterKey::new(&[1; 16], &[2; 14]).unwrap();
    let bad = [
        Policy { masters: vec![], ..good.clone() },
        Policy { masters: vec![master(1); 17], ..good.clone() },
        Policy { derivation_rate: 3, ..good.clone() },
        Policy { derivation_rate: 1 << 25, ..good.clone() },
        Policy { first_rtcp_index: 2, ..good.clone() },
        Policy { rtp: Protection { tag_len: 21, ..good.rtp }, ..good.clone() },
        Policy { rtp: Protection { encrypt: false, ..gcm.rtp }, ..gcm.clone() },
        Policy { rtcp: Protection { tag_len: 4, ..gcm.rtcp }, ..gcm },
        Policy::new(Profile::Aes256CmSha1_80, short),
    ];
    for policy in bad {
        assert_eq!(Session::new(Backend::PORTABLE).add(Scope::Any, policy), Err(SrtpError::Policy));
    }
    assert!(MasterKey::new(&[0; 17], &[0; 14]).is_none());
    assert!(MasterKey::new(&[0; 16], &[0; 13]).is_none());
    assert!(master(1).with_mki(&[]).is_none());
    assert!(master(1).with_mki(&[0; 129]).is_none());
    assert!(!format!("{good:?}").contains("key: "));
}
