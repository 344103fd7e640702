//! aws-lc's AEAD alone, with no SRTP around it: no parsing, index, replay or roll-over. A floor for anyone who
//! wraps a general AEAD; it has no counter mode with HMAC worth comparing.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use kaname_srtp::Profile;

use super::{Operation, Sealed, SessionKeys, System, slot, slots};
use crate::case::{Burst, Case, Plain, STRIDE};

/// One AEAD key each.
pub struct AwsLcRaw {
    case: Case,
    keys: Vec<(LessSafeKey, SessionKeys)>,
    buffers: Vec<u8>,
    sealed: Option<Sealed>,
    len: usize,
}

impl AwsLcRaw {
    /// `None` for suites that are no AEAD.
    pub fn new(case: &Case) -> Option<AwsLcRaw> {
        let algorithm = match case.profile {
            Profile::AeadAes128Gcm => &AES_128_GCM,
            Profile::AeadAes256Gcm => &AES_256_GCM,
            _ => return None,
        };
        let keys = (0..case.sessions).map(|index| {
            let keys = SessionKeys::derive(case, index);
            let unbound = UnboundKey::new(algorithm, &keys.cipher).expect("the algorithm's length");
            (LessSafeKey::new(unbound), keys)
        });
        let keys = keys.collect();
        Some(AwsLcRaw { case: *case, keys, buffers: slots(), sealed: None, len: 0 })
    }
}

impl System for AwsLcRaw {
    fn name(&self) -> &'static str {
        "aws_lc_raw"
    }

    fn reset(&mut self, operation: Operation) {
        if operation == Operation::Unprotect {
            let case = self.case;
            self.sealed.get_or_insert_with(|| Sealed::new(&case));
        }
    }

    fn arrive(&mut self, burst: &Burst) {
        self.sealed.as_ref().expect("made by reset").copy_to(&mut self.buffers, burst);
    }

    fn run(&mut self, operation: Operation, burst: &Burst, plain: &Plain) {
        let case = self.case;
        for (at, round, index) in burst.packets() {
            let (key, session) = &self.keys[index];
            let buffer = slot(&mut self.buffers, at);
            let iv = session.iv(case.profile, case.ssrc(index), case.sequence(round));
            let nonce = Nonce::try_assume_unique_for_key(&iv[..12]).expect("12 bytes");
            let (header, rest) = buffer.split_at_mut(case.header);
            if operation == Operation::Protect {
                header.copy_from_slice(plain.header(round, index));
                let (payload, tail) = rest.split_at_mut(case.payload);
                payload.copy_from_slice(&plain.payload);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&header), payload).expect("short");
                tail[..16].copy_from_slice(tag.as_ref());
                self.len = case.wire_len();
            } else {
                let sealed = &mut rest[..case.payload + 16];
                key.open_in_place(nonce, Aad::from(&header), sealed).expect("a good tag");
                self.len = case.header + case.payload;
            }
        }
    }

    fn output(&self, slot: usize) -> &[u8] {
        &self.buffers[slot * STRIDE..][..self.len]
    }
}
