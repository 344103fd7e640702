//! rtc-srtp with ring, the SRTP of webrtc-rs. It allocates each result.

use kaname_srtp::Profile;
use rtc_crypto::providers::RingCrypto;
use rtc_srtp::context::Context;
use rtc_srtp::option::srtp_replay_protection;
use rtc_srtp::protection_profile::ProtectionProfile;

use super::{Operation, Sealed, System};
use crate::case::{Case, Plain, STRIDE};

/// One context each.
pub struct RtcSrtp {
    case: Case,
    contexts: Vec<Context>,
    scratch: Vec<u8>,
    outputs: Vec<Vec<u8>>,
    sealed: Option<Sealed>,
}

impl RtcSrtp {
    /// Contexts are made by `reset`.
    pub fn new(case: &Case) -> RtcSrtp {
        let outputs = vec![Vec::with_capacity(STRIDE); case.sessions];
        RtcSrtp {
            case: *case,
            contexts: Vec::new(),
            scratch: Vec::with_capacity(STRIDE),
            outputs,
            sealed: None,
        }
    }
}

fn context(case: &Case, index: usize) -> Context {
    let keying = case.keying(index);
    let profile = match case.profile {
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        _ => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    let replay = Some(srtp_replay_protection(128));
    Context::new(keying.key(), keying.salt(), profile, replay, None, &RingCrypto).expect("its own profiles")
}

impl System for RtcSrtp {
    fn name(&self) -> &'static str {
        "rtc_srtp"
    }

    fn reset(&mut self, operation: Operation) {
        let case = self.case;
        self.contexts = (0..case.sessions).map(|i| context(&case, i)).collect();
        if operation == Operation::Unprotect {
            self.sealed.get_or_insert_with(|| Sealed::new(&case));
        }
    }

    fn run(&mut self, operation: Operation, round: usize, plain: &Plain) {
        for (index, context) in self.contexts.iter_mut().enumerate() {
            let result = if operation == Operation::Protect {
                self.scratch.clear();
                self.scratch.extend_from_slice(plain.header(round, index));
                self.scratch.extend_from_slice(&plain.payload);
                context.encrypt_rtp(&self.scratch)
            } else {
                let sealed = self.sealed.as_ref().expect("made by reset");
                context.decrypt_rtp(sealed.packet(round, index))
            };
            let result = result.expect("its own packet");
            self.outputs[index].clear();
            self.outputs[index].extend_from_slice(&result);
        }
    }

    fn output(&self, session: usize) -> &[u8] {
        &self.outputs[session]
    }
}
