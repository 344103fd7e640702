//! The engines under test behind one face. Each does the whole work its user would need for one packet of every session:
//! a library that works in place is charged the copy of the shared plaintext into the packet's own buffer, because
//! fan-out needs it.

mod aws_lc;
mod ipsec_mb;
mod kaname;
mod libsrtp;
mod rtc;

use kaname_srtp::Profile;

use crate::case::{Burst, Case, Plain, STRIDE, TOGETHER};

pub use self::kaname::{Kaname, KanameSingle};
pub use aws_lc::AwsLcRaw;
pub use ipsec_mb::IpsecMb;
pub use libsrtp::Libsrtp;
pub use rtc::RtcSrtp;

/// Which direction is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Plain to wire.
    Protect,
    /// Wire to plain, with authentication and, where the system has it, replay protection.
    Unprotect,
}

impl Operation {
    /// As in the table.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Protect => "protect",
            Operation::Unprotect => "unprotect",
        }
    }
}

/// One engine with sessions, buffers and keys of one case.
pub trait System {
    /// As in the table.
    fn name(&self) -> &'static str;
    /// Fresh sessions. Not timed.
    fn reset(&mut self, operation: Operation);
    /// Protected packets come in, each into its slot. Not timed; nothing but `run` of the same burst follows.
    fn arrive(&mut self, burst: &Burst);
    /// All packets of a burst.
    fn run(&mut self, operation: Operation, burst: &Burst, plain: &Plain);
    /// What the last run made of the packet in a slot: the protected packet, or header and plaintext.
    fn output(&self, slot: usize) -> &[u8];
}

/// Session keys by RFC 3711 section 4.3: what a raw cipher needs where an SRTP library derives for itself.
#[derive(Clone)]
pub(crate) struct SessionKeys {
    pub(crate) cipher: Vec<u8>,
    pub(crate) auth: Vec<u8>,
    pub(crate) salt: Vec<u8>,
}

impl SessionKeys {
    pub(crate) fn derive(case: &Case, session: usize) -> SessionKeys {
        let keying = case.keying(session);
        let cipher = derive(keying.key(), keying.salt(), 0, keying.key().len());
        let auth = derive(keying.key(), keying.salt(), 1, 20);
        let salt = derive(keying.key(), keying.salt(), 2, keying.salt().len());
        SessionKeys { cipher, auth, salt }
    }

    /// The nonce of a packet with roll-over counter 0: RFC 3711 section 4.1.1 or RFC 7714 section 8.1.
    pub(crate) fn iv(&self, profile: Profile, ssrc: u32, sequence: u16) -> [u8; 16] {
        let mut iv = [0u8; 16];
        let (ssrc_at, seq_at) = match profile {
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => (2, 10),
            _ => (4, 12),
        };
        iv[ssrc_at..ssrc_at + 4].copy_from_slice(&ssrc.to_be_bytes());
        iv[seq_at..seq_at + 2].copy_from_slice(&sequence.to_be_bytes());
        iv.iter_mut().zip(&self.salt).for_each(|(a, b)| *a ^= b);
        iv
    }
}

fn derive(key: &[u8], salt: &[u8], label: u8, len: usize) -> Vec<u8> {
    use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
    let mut iv = [0u8; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label;
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let unbound = UnboundCipherKey::new(algorithm, key).expect("a length of AES");
    let context = EncryptionContext::Iv128(aws_lc_rs::iv::FixedLength::from(iv));
    let mut out = vec![0u8; len];
    let encrypting = EncryptingKey::ctr(unbound).expect("CTR for AES");
    encrypting.less_safe_encrypt(&mut out, context).expect("any length");
    out
}

/// Room for the packets of one burst.
pub(crate) fn slots() -> Vec<u8> {
    vec![0; TOGETHER * STRIDE]
}

/// A slot's room.
pub(crate) fn slot(slots: &mut [u8], slot: usize) -> &mut [u8] {
    &mut slots[slot * STRIDE..][..STRIDE]
}

/// Protected packets of a whole sample, made once by the reference implementation: what unprotect is fed with.
pub(crate) struct Sealed {
    bytes: Vec<u8>,
    sessions: usize,
    len: usize,
}

impl Sealed {
    pub(crate) fn new(case: &Case) -> Sealed {
        let plain = Plain::new(case);
        let mut reference = Libsrtp::new(case);
        reference.reset(Operation::Protect);
        let len = case.wire_len();
        let mut sealed =
            Sealed { bytes: vec![0; case.rounds * case.sessions * len], sessions: case.sessions, len };
        for burst in case.bursts(0..case.rounds) {
            reference.run(Operation::Protect, &burst, &plain);
            for (slot, round, session) in burst.packets() {
                let at = sealed.at(round, session);
                sealed.bytes[at..at + len].copy_from_slice(reference.output(slot));
            }
        }
        sealed
    }

    fn at(&self, round: usize, session: usize) -> usize {
        (round * self.sessions + session) * self.len
    }

    /// Puts every packet of a burst into its slot.
    pub(crate) fn copy_to(&self, slots: &mut [u8], burst: &Burst) {
        for (at, round, session) in burst.packets() {
            let packet = &self.bytes[self.at(round, session)..][..self.len];
            slot(slots, at)[..self.len].copy_from_slice(packet);
        }
    }
}
