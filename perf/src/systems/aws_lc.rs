//! aws-lc's AEAD alone, with no SRTP around it: no parsing, index, replay or roll-over. A floor for anyone who
//! wraps a general AEAD; it has no counter mode with HMAC worth comparing.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use kaname_srtp::Profile;

use super::{Operation, Sealed, SessionKeys, System};
use crate::case::{Case, Plain, STRIDE};

/// One AEAD key each.
pub struct AwsLcRaw {
    case: Case,
    keys: Vec<(LessSafeKey, SessionKeys)>,
    buffers: Vec<u8>,
    sealed: Option<Sealed>,
    base: usize,
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
        let buffers = vec![0; case.sessions * STRIDE];
        Some(AwsLcRaw { case: *case, keys, buffers, sealed: None, base: 0, len: 0 })
    }
}

impl System for AwsLcRaw {
    fn name(&self) -> &'static str {
        "aws_lc_raw"
    }

    fn reset(&mut self, operation: Operation) {
        if operation == Operation::Unprotect {
            let case = self.case;
            self.sealed.get_or_insert_with(|| Sealed::new(&case)).copy_to(&mut self.buffers);
        }
    }

    fn run(&mut self, operation: Operation, round: usize, plain: &Plain) {
        let case = self.case;
        self.base = if operation == Operation::Protect { 0 } else { round * case.sessions };
        for (index, (key, session)) in self.keys.iter().enumerate() {
            let buffer = &mut self.buffers[(self.base + index) * STRIDE..][..STRIDE];
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

    fn output(&self, session: usize) -> &[u8] {
        &self.buffers[(self.base + session) * STRIDE..][..self.len]
    }
}
