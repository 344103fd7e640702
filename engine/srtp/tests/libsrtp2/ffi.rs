//! libsrtp2's C interface as far as the comparison needs it, declared by hand after Debian's `srtp2/srtp.h` (2.5): no
//! binding generator and no second copy of the library to build.

use std::ffi::{c_int, c_uint, c_ulong, c_void};
use std::ptr::null_mut;
use std::sync::Once;

use kaname_srtp::{Cipher, Profile, Protection};

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

impl CryptoPolicy {
    fn of(protection: Protection) -> CryptoPolicy {
        let (cipher_type, cipher_key_len) = match protection.cipher {
            Cipher::Null => (0, 30),
            Cipher::AesCm128 => (1, 30),
            Cipher::AesCm192 => (4, 38),
            Cipher::AesCm256 => (5, 46),
            Cipher::AeadAes128Gcm => (6, 28),
            Cipher::AeadAes256Gcm => (7, 44),
        };
        let hmac = !protection.cipher.is_gcm() && protection.tag_len > 0;
        CryptoPolicy {
            cipher_type,
            cipher_key_len,
            auth_type: if hmac { 3 } else { 0 },
            auth_key_len: if hmac { 20 } else { 0 },
            auth_tag_len: protection.tag_len as c_int,
            sec_serv: c_int::from(protection.encrypt) | (c_int::from(protection.tag_len > 0) << 1),
        }
    }
}

#[repr(C)]
struct MasterKey {
    key: *mut u8,
    mki: *mut u8,
    mki_len: c_uint,
}

#[repr(C)]
struct Policy {
    ssrc_type: c_int,
    ssrc_value: c_uint,
    rtp: CryptoPolicy,
    rtcp: CryptoPolicy,
    key: *mut u8,
    keys: *mut *mut MasterKey,
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
    fn srtp_protect_mki(
        session: *mut c_void,
        packet: *mut c_void,
        len: *mut c_int,
        use_mki: c_uint,
        index: c_uint,
    ) -> c_int;
    fn srtp_unprotect_mki(
        session: *mut c_void,
        packet: *mut c_void,
        len: *mut c_int,
        use_mki: c_uint,
    ) -> c_int;
    fn srtp_protect_rtcp_mki(
        session: *mut c_void,
        packet: *mut c_void,
        len: *mut c_int,
        use_mki: c_uint,
        index: c_uint,
    ) -> c_int;
    fn srtp_unprotect_rtcp_mki(
        session: *mut c_void,
        packet: *mut c_void,
        len: *mut c_int,
        use_mki: c_uint,
    ) -> c_int;
}

/// Room that libsrtp2 needs behind a packet: its longest tag and MKI, and the SRTCP index, which its own constant leaves out.
pub(crate) const TRAILER: usize = 16 + 128 + 4;

/// Which way a session works.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Inbound = 2,
    Outbound = 3,
}

/// Any status but ok.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) c_int);

/// What a libsrtp2 session is made of.
pub(crate) struct Setup<'a> {
    pub(crate) rtp: Protection,
    pub(crate) rtcp: Protection,
    /// Key and salt in one, and MKI.
    pub(crate) masters: &'a [(Vec<u8>, Vec<u8>)],
    /// Header extensions to encrypt.
    pub(crate) ids: &'a [c_int],
    pub(crate) direction: Direction,
    pub(crate) window: usize,
}

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
        let masters = [([key, salt].concat(), Vec::new())];
        let (rtp, rtcp) = (profile.rtp(), profile.rtcp());
        Session::with(&Setup { rtp, rtcp, masters: &masters, ids: &[], direction, window })
    }

    pub(crate) fn with(setup: &Setup<'_>) -> Session {
        static INIT: Once = Once::new();
        // SAFETY: called once, ahead of everything else.
        INIT.call_once(|| assert_eq!(unsafe { srtp_init() }, 0));
        let mut bytes = setup.masters.to_vec();
        let mut masters: Vec<_> = bytes
            .iter_mut()
            .map(|(key, mki)| MasterKey {
                key: key.as_mut_ptr(),
                mki: mki.as_mut_ptr(),
                mki_len: mki.len() as c_uint,
            })
            .collect();
        let mut pointers: Vec<*mut MasterKey> = masters.iter_mut().map(|master| master as *mut _).collect();
        let mut ids = setup.ids.to_vec();
        let policy = Policy {
            ssrc_type: setup.direction as c_int,
            ssrc_value: 0,
            rtp: CryptoPolicy::of(setup.rtp),
            rtcp: CryptoPolicy::of(setup.rtcp),
            key: null_mut(),
            keys: pointers.as_mut_ptr(),
            num_master_keys: pointers.len() as c_ulong,
            deprecated_ekt: null_mut(),
            window_size: setup.window as c_ulong,
            allow_repeat_tx: 0,
            enc_xtn_hdr: ids.as_mut_ptr(),
            enc_xtn_hdr_count: ids.len() as c_int,
            next: null_mut(),
        };
        let mut session = null_mut();
        // SAFETY: the structures are laid out as in the header, and everything they point to outlives the call.
        unsafe {
            assert_eq!(srtp_create(&mut session, &policy), 0, "libsrtp2 without {:?}", setup.rtp);
        }
        Session(session)
    }

    pub(crate) fn protect_mki(&mut self, packet: &mut Vec<u8>, key: usize) -> Result<(), Refused> {
        self.run(packet, |session, packet, len| {
            // SAFETY: as for `run`.
            unsafe { srtp_protect_mki(session, packet, len, 1, key as c_uint) }
        })
    }

    pub(crate) fn unprotect_mki(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        // SAFETY: as for `run`.
        self.run(packet, |session, packet, len| unsafe { srtp_unprotect_mki(session, packet, len, 1) })
    }

    pub(crate) fn protect_rtcp_mki(&mut self, packet: &mut Vec<u8>, key: usize) -> Result<(), Refused> {
        self.run(packet, |session, packet, len| {
            // SAFETY: as for `run`.
            unsafe { srtp_protect_rtcp_mki(session, packet, len, 1, key as c_uint) }
        })
    }

    pub(crate) fn unprotect_rtcp_mki(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        // SAFETY: as for `run`.
        self.run(packet, |session, packet, len| unsafe { srtp_unprotect_rtcp_mki(session, packet, len, 1) })
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
        // SAFETY: as for `run`.
        self.run(packet, |session, packet, len| unsafe { function(session, packet, len) })
    }

    /// The session lives, and the packet has room for what is appended.
    fn run(
        &mut self,
        packet: &mut Vec<u8>,
        function: impl FnOnce(*mut c_void, *mut c_void, &mut c_int) -> c_int,
    ) -> Result<(), Refused> {
        let mut len = packet.len() as c_int;
        packet.resize(packet.len() + TRAILER, 0);
        let status = function(self.0, packet.as_mut_ptr().cast(), &mut len);
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
