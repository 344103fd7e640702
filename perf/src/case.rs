//! One cell of the table, and the packets it is measured with.

use std::ops::Range;

use kaname_srtp::{Keying, Profile};

/// Bytes between two packets in a buffer: room for the largest packet and its tag, whole cache lines.
pub const STRIDE: usize = 1280;

/// Packets that come or go together at most, as in a shard's batch.
pub const TOGETHER: usize = 256;

/// The profiles of the table with their names in the field.
pub const SUITES: [(Profile, &str); 3] = [
    (Profile::Aes128CmSha1_80, "AES_CM_128_HMAC_SHA1_80"),
    (Profile::AeadAes128Gcm, "AEAD_AES_128_GCM"),
    (Profile::AeadAes256Gcm, "AEAD_AES_256_GCM"),
];

/// What one cell measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The profile.
    pub profile: Profile,
    /// Header bytes: 12, or 28 with a header extension.
    pub header: usize,
    /// Payload bytes.
    pub payload: usize,
    /// Sessions, each with its own key; a round is one packet of each.
    pub sessions: usize,
    /// Rounds between two resets; the first is not timed.
    pub rounds: usize,
}

impl Case {
    /// A case with as many rounds as make a sample long against what its beginning costs, when the caches and the branch
    /// predictors still belong to the system before.
    pub fn new(profile: Profile, header: usize, payload: usize, sessions: usize) -> Case {
        Case { profile, header, payload, sessions, rounds: 1 + (1600 / sessions).max(3) }
    }

    /// The packets of some rounds in bursts of at most [`TOGETHER`].
    pub fn bursts(&self, rounds: Range<usize>) -> impl Iterator<Item = Burst> {
        let sessions = self.sessions.min(TOGETHER);
        let at_once = TOGETHER / sessions;
        let (all, end) = (self.sessions, rounds.end);
        rounds.step_by(at_once).flat_map(move |round| {
            (0..all).step_by(sessions).map(move |session| Burst {
                rounds: round..end.min(round + at_once),
                sessions: session..all.min(session + sessions),
            })
        })
    }

    /// Bytes that protection adds.
    pub fn overhead(&self) -> usize {
        match self.profile {
            Profile::Aes128CmSha1_80 => 10,
            Profile::Aes128CmSha1_32 => 4,
            _ => 16,
        }
    }

    /// Bytes of a protected packet.
    pub fn wire_len(&self) -> usize {
        self.header + self.payload + self.overhead()
    }

    /// The master key of a session.
    pub fn keying(&self, session: usize) -> Keying {
        let bytes: Vec<u8> =
            (0..64).map(|i| (i as u8).wrapping_mul(37) ^ (session as u8) ^ (session >> 8) as u8).collect();
        let (key, salt) = (&bytes[..self.profile.key_len()], &bytes[40..40 + self.profile.salt_len()]);
        Keying::new(self.profile, key, salt).expect("the profile's own lengths")
    }

    /// The SSRC of a session.
    pub fn ssrc(&self, session: usize) -> u32 {
        0x4b41_0000 + session as u32
    }

    /// The sequence number of a round.
    pub fn sequence(&self, round: usize) -> u16 {
        round as u16 + 1
    }
}

/// Packets that come or go together: one of each of some sessions in each of some rounds. Each has its slot in the buffers
/// that every system has for one burst, round after round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// The rounds.
    pub rounds: Range<usize>,
    /// The sessions.
    pub sessions: Range<usize>,
}

impl Burst {
    /// Slot, round and session of every packet.
    pub fn packets(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let sessions = self.sessions.clone();
        let packets = self.rounds.clone().flat_map(move |round| sessions.clone().map(move |s| (round, s)));
        packets.enumerate().map(|(slot, (round, session))| (slot, round, session))
    }
}

/// Plain packets of a case: every header of every round, and the one payload that all sessions get.
pub struct Plain {
    headers: Vec<[u8; 28]>,
    /// The shared plaintext.
    pub payload: Vec<u8>,
    sessions: usize,
    header: usize,
}

impl Plain {
    /// Lays them out.
    pub fn new(case: &Case) -> Plain {
        let mut headers = Vec::with_capacity(case.rounds * case.sessions);
        for round in 0..case.rounds {
            for session in 0..case.sessions {
                let mut header = [0u8; 28];
                header[0] = if case.header == 28 { 0x90 } else { 0x80 };
                header[1] = 96;
                header[2..4].copy_from_slice(&case.sequence(round).to_be_bytes());
                header[4..8].copy_from_slice(&(round as u32 * 3000).to_be_bytes());
                header[8..12].copy_from_slice(&case.ssrc(session).to_be_bytes());
                header[12..16].copy_from_slice(&[0xBE, 0xDE, 0, 3]);
                header[16..28].copy_from_slice(&[0x10, 0x85, 0x22, 1, 2, 3, 0x31, 0, 7, 0, 0, 0]);
                headers.push(header);
            }
        }
        let payload = (0..case.payload).map(|i| (i * 7 + 13) as u8).collect();
        Plain { headers, payload, sessions: case.sessions, header: case.header }
    }

    /// The header of one packet.
    pub fn header(&self, round: usize, session: usize) -> &[u8] {
        &self.headers[round * self.sessions + session][..self.header]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_have_every_packet_once_and_sessions_in_order() {
        for sessions in [1, 32, 100, 256, 1000] {
            let case = Case::new(Profile::AeadAes128Gcm, 12, 20, sessions);
            let mut next = vec![1; sessions];
            for burst in case.bursts(1..case.rounds) {
                let mut slots = 0;
                for (slot, round, session) in burst.packets() {
                    assert_eq!((slot, round), (slots, next[session]));
                    (slots, next[session]) = (slot + 1, round + 1);
                }
                assert!((1..=TOGETHER).contains(&slots));
            }
            assert!(next.iter().all(|&next| next == case.rounds));
        }
    }
}
