//! libsrtp through crate srtp2-sys, its bundled source with OpenSSL.

use std::ffi::c_int;
use std::ptr;
use std::sync::Once;

use kaname_srtp::Profile;
use srtp2_sys as sys;

use super::{Operation, Sealed, System, slot, slots};
use crate::case::{Burst, Case, Plain, STRIDE, TOGETHER};

static INIT: Once = Once::new();

/// One libsrtp session each.
pub struct Libsrtp {
    case: Case,
    sessions: Vec<sys::srtp_t>,
    buffers: Vec<u8>,
    lengths: Vec<usize>,
    sealed: Option<Sealed>,
}

impl Libsrtp {
    /// Sessions are made by `reset`.
    pub fn new(case: &Case) -> Libsrtp {
        INIT.call_once(|| {
            // SAFETY: called once, before any other function of the library.
            let status = unsafe { sys::srtp_init() };
            assert_eq!(status, sys::srtp_err_status_t_srtp_err_status_ok, "srtp_init");
        });
        Libsrtp {
            case: *case,
            sessions: Vec::new(),
            buffers: slots(),
            lengths: vec![0; TOGETHER],
            sealed: None,
        }
    }

    fn free(&mut self) {
        for session in self.sessions.drain(..) {
            // SAFETY: made by srtp_create, freed once.
            unsafe { sys::srtp_dealloc(session) };
        }
    }
}

fn create(case: &Case, index: usize, operation: Operation) -> sys::srtp_t {
    let keying = case.keying(index);
    let mut key = [keying.key(), keying.salt()].concat();
    let mut session: sys::srtp_t = ptr::null_mut();
    // SAFETY: the policy is plain data for which zero is valid; the key outlives srtp_create, which copies it.
    let status = unsafe {
        let mut policy: sys::srtp_policy_t = std::mem::zeroed();
        let set = match case.profile {
            Profile::AeadAes128Gcm => sys::srtp_crypto_policy_set_aes_gcm_128_16_auth,
            Profile::AeadAes256Gcm => sys::srtp_crypto_policy_set_aes_gcm_256_16_auth,
            _ => sys::srtp_crypto_policy_set_rtp_default,
        };
        set(&mut policy.rtp);
        set(&mut policy.rtcp);
        policy.ssrc.type_ = match operation {
            Operation::Protect => sys::srtp_ssrc_type_t_ssrc_any_outbound,
            Operation::Unprotect => sys::srtp_ssrc_type_t_ssrc_any_inbound,
        };
        policy.key = key.as_mut_ptr();
        policy.window_size = 128;
        sys::srtp_create(&mut session, &policy)
    };
    assert_eq!(status, sys::srtp_err_status_t_srtp_err_status_ok, "srtp_create");
    session
}

impl System for Libsrtp {
    fn name(&self) -> &'static str {
        "srtp2"
    }

    fn reset(&mut self, operation: Operation) {
        self.free();
        self.sessions = (0..self.case.sessions).map(|i| create(&self.case, i, operation)).collect();
        if operation == Operation::Unprotect {
            let case = self.case;
            self.sealed.get_or_insert_with(|| Sealed::new(&case));
        }
    }

    fn arrive(&mut self, burst: &Burst) {
        self.sealed.as_ref().expect("made by reset").copy_to(&mut self.buffers, burst);
    }

    fn run(&mut self, operation: Operation, burst: &Burst, plain: &Plain) {
        for (at, round, index) in burst.packets() {
            let session = &self.sessions[index];
            let buffer = slot(&mut self.buffers, at);
            let mut len;
            let status = if operation == Operation::Protect {
                let header = plain.header(round, index);
                buffer[..header.len()].copy_from_slice(header);
                buffer[header.len()..header.len() + plain.payload.len()].copy_from_slice(&plain.payload);
                len = (header.len() + plain.payload.len()) as c_int;
                // SAFETY: the buffer is writable and has room for the trailer behind `len`.
                unsafe { sys::srtp_protect(*session, buffer.as_mut_ptr().cast(), &mut len) }
            } else {
                len = self.case.wire_len() as c_int;
                // SAFETY: the buffer is writable and `len` bytes long at least.
                unsafe { sys::srtp_unprotect(*session, buffer.as_mut_ptr().cast(), &mut len) }
            };
            assert_eq!(status, sys::srtp_err_status_t_srtp_err_status_ok, "libsrtp refused its own packet");
            self.lengths[at] = len as usize;
        }
    }

    fn output(&self, slot: usize) -> &[u8] {
        &self.buffers[slot * STRIDE..][..self.lengths[slot]]
    }
}

impl Drop for Libsrtp {
    fn drop(&mut self) {
        self.free();
    }
}
