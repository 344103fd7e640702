//! libsrtp2's C interface as far as the comparison needs it, declared by hand after Debian's `srtp2/srtp.h` (2.5): no
//! binding generator and no second copy of the library to build.

use std::ffi::{c_int, c_uint, c_ulong, c_void};
use std::ptr::null_mut;
use std::sync::Once;

use kaname_srtp::Profile;

#[repr(C)]
#[derive(Default)]
struct CryptoPolicy {
    cipher_type: u32,
    cipher_key_len: c_int,
    auth_type: u32,
    auth_key_len: c_int,
    auth_tag_len: c_int,
    sec_serv: c_int,
}

#[repr(C)]
struct Policy {
    ssrc_type: c_int,
    ssrc_value: c_uint,
    rtp: CryptoPolicy,
    rtcp: CryptoPolicy,
    key: *mut u8,
    keys: *mut c_void,
    num_master_keys: c_ulong,
    deprecated_ekt: *mut c_void,
    window_size: c_ulong,
    allow_repeat_tx: c_int,
    enc_xtn_hdr: *mut c_int,
    enc_xtn_hdr_count: c_int,
    next: *mut Policy,
}

#[link(name = "srtp2")]
unsafe extern "C" {
    fn srtp_init() -> c_int;
    fn srtp_create(session: *mut *mut c_void, policy: *const Policy) -> c_int;
    fn srtp_dealloc(session: *mut c_void) -> c_int;
    fn srtp_protect(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_unprotect(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_protect_rtcp(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_unprotect_rtcp(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_crypto_policy_set_from_profile_for_rtp(policy: *mut CryptoPolicy, profile: c_int) -> c_int;
    fn srtp_crypto_policy_set_from_profile_for_rtcp(policy: *mut CryptoPolicy, profile: c_int) -> c_int;
}

/// Room that libsrtp2 wants behind a packet: its longest tag and MKI.
pub(crate) const TRAILER: usize = 16 + 128;

/// Which way a session works.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Inbound = 2,
    Outbound = 3,
}

/// Any status but ok.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) c_int);

/// A libsrtp2 session for any SSRC.
pub(crate) struct Session(*mut c_void);

impl Session {
    pub(crate) fn new(
        profile: Profile,
        key: &[u8],
        salt: &[u8],
        direction: Direction,
        window: usize,
    ) -> Session {
        static INIT: Once = Once::new();
        // SAFETY: called once, ahead of everything else.
        INIT.call_once(|| assert_eq!(unsafe { srtp_init() }, 0));
        let number = match profile {
            Profile::Aes128CmSha1_80 => 1,
            Profile::Aes128CmSha1_32 => 2,
            Profile::AeadAes128Gcm => 7,
            Profile::AeadAes256Gcm => 8,
        };
        let mut master = [key, salt].concat();
        let mut policy = Policy {
            ssrc_type: direction as c_int,
            ssrc_value: 0,
            rtp: CryptoPolicy::default(),
            rtcp: CryptoPolicy::default(),
            key: master.as_mut_ptr(),
            keys: null_mut(),
            num_master_keys: 0,
            deprecated_ekt: null_mut(),
            window_size: window as c_ulong,
            allow_repeat_tx: 0,
            enc_xtn_hdr: null_mut(),
            enc_xtn_hdr_count: 0,
            next: null_mut(),
        };
        let mut session = null_mut();
        // SAFETY: the structures are laid out as in the header, and everything they point to outlives the calls.
        unsafe {
            assert_eq!(srtp_crypto_policy_set_from_profile_for_rtp(&mut policy.rtp, number), 0);
            assert_eq!(srtp_crypto_policy_set_from_profile_for_rtcp(&mut policy.rtcp, number), 0);
            assert_eq!(srtp_create(&mut session, &policy), 0, "libsrtp2 without {profile:?}");
        }
        Session(session)
    }

    pub(crate) fn protect(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        self.call(srtp_protect, packet)
    }

    pub(crate) fn unprotect(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        self.call(srtp_unprotect, packet)
    }

    pub(crate) fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        self.call(srtp_protect_rtcp, packet)
    }

    pub(crate) fn unprotect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        self.call(srtp_unprotect_rtcp, packet)
    }

    fn call(
        &mut self,
        function: unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_int) -> c_int,
        packet: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let mut len = packet.len() as c_int;
        packet.resize(packet.len() + TRAILER, 0);
        // SAFETY: the session lives, and the packet has room for what is appended.
        let status = unsafe { function(self.0, packet.as_mut_ptr().cast(), &mut len) };
        packet.truncate(len as usize);
        if status == 0 { Ok(()) } else { Err(Refused(status)) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: made by srtp_create and not used any more.
        unsafe { srtp_dealloc(self.0) };
    }
}
