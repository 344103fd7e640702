//! rtc-srtp with ring, the SRTP of webrtc-rs. It allocates each result.

use kaname_srtp::Profile;
use rtc_crypto::providers::RingCrypto;
use rtc_srtp::context::Context;
use rtc_srtp::option::srtp_replay_protection;
use rtc_srtp::protection_profile::ProtectionProfile;

use super::{Operation, Sealed, System, slot, slots};
use crate::case::{Burst, Case, Plain, STRIDE, TOGETHER};

/// One context each.
pub struct RtcSrtp {
    case: Case,
    contexts: Vec<Context>,
    scratch: Vec<u8>,
    received: Vec<u8>,
    outputs: Vec<Vec<u8>>,
    sealed: Option<Sealed>,
}

impl RtcSrtp {
    /// Contexts are made by `reset`.
    pub fn new(case: &Case) -> RtcSrtp {
        let outputs = (0..TOGETHER).map(|_| Vec::with_capacity(STRIDE)).collect();
        RtcSrtp {
            case: *case,
            contexts: Vec::new(),
            scratch: Vec::with_capacity(STRIDE),
            received: slots(),
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

    fn arrive(&mut self, burst: &Burst) {
        self.sealed.as_ref().expect("made by reset").copy_to(&mut self.received, burst);
    }

    fn run(&mut self, operation: Operation, burst: &Burst, plain: &Plain) {
        for (at, round, index) in burst.packets() {
            let context = &mut self.contexts[index];
            let result = if operation == Operation::Protect {
                self.scratch.clear();
                self.scratch.extend_from_slice(plain.header(round, index));
                self.scratch.extend_from_slice(&plain.payload);
                context.encrypt_rtp(&self.scratch)
            } else {
                context.decrypt_rtp(&slot(&mut self.received, at)[..self.case.wire_len()])
            };
            let result = result.expect("its own packet");
            self.outputs[at].clear();
            self.outputs[at].extend_from_slice(&result);
        }
    }

    fn output(&self, slot: usize) -> &[u8] {
        &self.outputs[slot]
    }
}
