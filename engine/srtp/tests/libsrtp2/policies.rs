//! Random policies through Kaname's sessions and libsrtp2 side by side: every suite libsrtp2 2.5.0 has, services switched by
//! protocol, MKI, encrypted header extensions, both directions.
//!
//! What is left out is where libsrtp2 2.5.0 departs from the RFCs:
//! - padding between the elements of an encrypted header extension: it takes no keystream for it (RFC 6904 section 3.1 does);
//! - SRTCP with MKI received while SRTP has another tag length: it looks for the MKI at the SRTP tag's distance;
//! - header extensions with GCM of two key sizes: it derives their keys from a part of the master key;
//! - GCM with E=0 in a session that encrypts: it takes such packets;
//! - AES-192: it derives with AES-256 from key, salt and zeros, so the two get the same master by other names.

use kaname_srtp::policy::{MasterKey, Policy, Scope, Session};
use kaname_srtp::{Backend, Cipher, Profile, Protection};

use crate::Random;
use crate::ffi::{self, Direction, Setup};

/// SSRCs of each session.
const STREAMS: usize = 4;

/// One policy in both libraries, sender and receiver.
struct Pair {
    policy: Policy,
    ours: [Session; 2],
    theirs: [ffi::Session; 2],
    streams: Vec<(u32, u16)>,
    mki: bool,
    rtcp_mki: bool,
}

fn cipher(random: &mut Random) -> Cipher {
    let all = [
        Cipher::Null,
        Cipher::AesCm128,
        Cipher::AesCm192,
        Cipher::AesCm256,
        Cipher::AeadAes128Gcm,
        Cipher::AeadAes256Gcm,
    ];
    all[random.below(all.len())]
}

/// Protections of both protocols: libsrtp2 decides by SRTP's cipher whether SRTCP is an AEAD.
fn protections(random: &mut Random) -> (Protection, Protection) {
    let rtp_cipher = cipher(random);
    let mut rtcp_cipher = cipher(random);
    if rtcp_cipher.is_gcm() || rtp_cipher.is_gcm() || random.one_in(2) {
        rtcp_cipher = rtp_cipher;
    }
    let mut protection = |cipher: Cipher, rtp: bool| {
        let tag_len = if cipher.is_gcm() {
            if random.one_in(4) { 8 } else { 16 }
        } else if rtp && random.one_in(6) {
            0
        } else {
            [10, 4][random.below(2)]
        };
        Protection { cipher, encrypt: (cipher.is_gcm() && rtp) || !random.one_in(4), tag_len }
    };
    (protection(rtp_cipher, true), protection(rtcp_cipher, false))
}

/// Their master key and the one that means the same to us.
fn master(len: usize, salt_len: usize, random: &mut Random) -> (Vec<u8>, MasterKey) {
    let theirs = random.bytes(len + salt_len);
    let (mut key, mut salt) = (theirs[..len].to_vec(), theirs[len..].to_vec());
    if len == 24 {
        let mut padded = theirs.clone();
        padded.resize(46, 0);
        (key, salt) = (padded[..32].to_vec(), padded[32..].to_vec());
    }
    (theirs, MasterKey::new(&key, &salt).unwrap())
}

impl Pair {
    fn new(backend: Backend, random: &mut Random) -> Pair {
        let (rtp, rtcp) = protections(random);
        let longest = if rtcp.cipher.key_len() > rtp.cipher.key_len() { rtcp.cipher } else { rtp.cipher };
        let count = 1 + if random.one_in(2) { random.below(3) } else { 0 };
        let mki_len = [1, 4, 128][random.below(3)];
        let mut masters = Vec::new();
        let mut keys = Vec::new();
        for number in 0..count {
            let (theirs, ours) = master(longest.key_len(), longest.salt_len(), random);
            let mut mki = random.bytes(mki_len);
            mki[0] = number as u8;
            keys.push(ours.with_mki(&mki).unwrap());
            masters.push((theirs, mki));
        }
        let numbers = if random.one_in(2) { vec![1, 3, 4, 200] } else { vec![] };
        let ids: Vec<_> = numbers.iter().map(|&number| i32::from(number)).collect();
        let policy = Policy {
            rtp,
            rtcp,
            masters: keys,
            encrypted_extensions: numbers,
            first_rtcp_index: 1,
            ..Policy::new(Profile::Aes128CmSha1_80, MasterKey::new(&[0; 16], &[0; 14]).unwrap())
        };
        let ours = [(), ()].map(|()| {
            let mut session = Session::new(backend);
            session.add(Scope::Any, policy.clone()).unwrap();
            session
        });
        let theirs = [Direction::Outbound, Direction::Inbound].map(|direction| {
            ffi::Session::with(&Setup { rtp, rtcp, masters: &masters, ids: &ids, direction, window: 1024 })
        });
        let streams = (0..STREAMS).map(|_| (random.next() as u32, random.next() as u16)).collect();
        let mki = random.one_in(2);
        let rtcp_mki = mki && (rtp.cipher.is_gcm() || rtp.tag_len == rtcp.tag_len);
        Pair { policy, ours, theirs, streams, mki, rtcp_mki }
    }

    fn packet(&mut self, stream: usize, random: &mut Random) -> Vec<u8> {
        let (ssrc, seq) = &mut self.streams[stream];
        *seq = seq.wrapping_add(if random.one_in(8) { 1 + random.below(3000) as u16 } else { 1 });
        let csrcs = if random.one_in(3) { random.below(16) } else { 0 };
        let extension = random.one_in(2).then(|| extension(random));
        let mut packet = vec![0x80 | (u8::from(extension.is_some()) << 4) | csrcs as u8, random.next() as u8];
        packet.extend(seq.to_be_bytes());
        packet.extend(random.bytes(4));
        packet.extend(ssrc.to_be_bytes());
        packet.extend(random.bytes(4 * csrcs));
        packet.extend(extension.unwrap_or_default());
        let len = random.below(300);
        packet.extend(random.bytes(len));
        packet
    }

    fn rtp(&mut self, random: &mut Random) {
        let stream = random.below(STREAMS);
        let packet = self.packet(stream, random);
        let named = self.mki.then(|| random.below(self.policy.masters.len()));
        let mut ours = vec![0; packet.len() + 200];
        let len = self.ours[0].protect_rtp(&packet, &mut ours, named).unwrap();
        ours.truncate(len);
        let mut theirs = packet.clone();
        match named {
            Some(key) => self.theirs[0].protect_mki(&mut theirs, key).unwrap(),
            None => self.theirs[0].protect(&mut theirs).unwrap(),
        }
        assert!(ours == theirs, "protect differs: {:?} {named:?}", self.policy);
        let mut plain = vec![0; ours.len()];
        if self.policy.rtp.tag_len > 0 {
            let mut bad = ours.clone();
            let at = 12 + random.below(bad.len() - 12);
            bad[at] ^= 1 << random.below(8);
            self.ours[1].unprotect_rtp(&bad, &mut plain, self.mki).unwrap_err();
            assert!(plain.iter().all(|&byte| byte == 0));
        }
        let len = self.ours[1].unprotect_rtp(&ours, &mut plain, self.mki).unwrap();
        assert_eq!(plain[..len], packet, "{:?}", self.policy);
        self.ours[1].unprotect_rtp(&ours, &mut plain, self.mki).unwrap_err();
        match self.mki {
            true => self.theirs[1].unprotect_mki(&mut theirs).unwrap(),
            false => self.theirs[1].unprotect(&mut theirs).unwrap(),
        }
        assert_eq!(theirs, packet);
    }

    fn rtcp(&mut self, random: &mut Random) {
        let len = 8 + 4 * random.below(60);
        let mut packet = random.bytes(len);
        packet[0] = 0x80 | (packet[0] & 0x1f);
        packet[4..8].copy_from_slice(&self.streams[random.below(STREAMS)].0.to_be_bytes());
        let named = self.rtcp_mki.then(|| random.below(self.policy.masters.len()));
        let mut ours = vec![0; packet.len() + 200];
        let len = self.ours[0].protect_rtcp(&packet, &mut ours, named).unwrap();
        ours.truncate(len);
        let mut theirs = packet.clone();
        match named {
            Some(key) => self.theirs[0].protect_rtcp_mki(&mut theirs, key).unwrap(),
            None => self.theirs[0].protect_rtcp(&mut theirs).unwrap(),
        }
        assert!(ours == theirs, "protect differs: {:?} {named:?}", self.policy);
        let mut plain = vec![0; ours.len()];
        let mut bad = ours.clone();
        let at = 8 + random.below(bad.len() - 8);
        bad[at] ^= 1 << random.below(8);
        self.ours[1].unprotect_rtcp(&bad, &mut plain, self.rtcp_mki).unwrap_err();
        let len = self.ours[1].unprotect_rtcp(&ours, &mut plain, self.rtcp_mki).unwrap();
        assert_eq!(plain[..len], packet);
        self.ours[1].unprotect_rtcp(&ours, &mut plain, self.rtcp_mki).unwrap_err();
        match self.rtcp_mki {
            true => self.theirs[1].unprotect_rtcp_mki(&mut theirs).unwrap(),
            false => self.theirs[1].unprotect_rtcp(&mut theirs).unwrap(),
        }
        assert_eq!(theirs, packet);
    }
}

/// A header extension of either form: elements one behind the other, padding at the end.
fn extension(random: &mut Random) -> Vec<u8> {
    let one_byte = random.one_in(2);
    let mut elements = Vec::new();
    for _ in 0..random.below(6) {
        let number = 1 + random.below(6);
        if one_byte {
            let len = 1 + random.below(16);
            elements.push((number << 4 | (len - 1)) as u8);
            elements.extend(random.bytes(len));
        } else {
            let len = random.below(40);
            elements.push(if number == 6 { 200 } else { number as u8 });
            elements.push(len as u8);
            elements.extend(random.bytes(len));
        }
    }
    elements.resize(elements.len().next_multiple_of(4), 0);
    let profile: u16 = if one_byte { 0xbede } else { 0x1000 | random.below(16) as u16 };
    let words = (elements.len() / 4) as u16;
    [&profile.to_be_bytes()[..], &words.to_be_bytes(), &elements].concat()
}

#[test]
fn every_policy_of_libsrtp2() {
    let wanted = if std::env::var_os("KANAME_FULL").is_some() { 10_000_000 } else { 200_000 };
    let mut random = Random(0x0070_6f6c_6963_7900);
    let backends: Vec<_> = Backend::all_available().collect();
    let mut packets = 0;
    while packets < wanted {
        let backend = backends[random.below(backends.len())];
        let mut pair = Pair::new(backend, &mut random);
        for _ in 0..200 {
            pair.rtp(&mut random);
            if random.one_in(4) {
                pair.rtcp(&mut random);
                packets += 1;
            }
            packets += 1;
        }
    }
}
