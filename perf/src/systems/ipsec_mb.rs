//! Intel's ipsec-mb as Debian ships it, in burst mode: ciphers alone, the SRTP around them is only nonce and
//! roll-over counter. It writes 12 bytes of an HMAC-SHA1; the first ten are SRTP's tag.

use std::ffi::{CStr, c_char, c_int, c_void};

use kaname_srtp::Profile;

use super::{Operation, Sealed, SessionKeys, System, slot, slots};
use crate::case::{Burst, Case, Plain, STRIDE, TOGETHER};

#[repr(C)]
#[derive(Clone)]
struct Packet {
    data: *mut u8,
    tag: *mut u8,
    key: *const c_void,
    header: u32,
    payload: u32,
    iv: [u8; 16],
}

unsafe extern "C" {
    fn kaname_perf_imb_new() -> *mut c_void;
    fn kaname_perf_imb_free(manager: *mut c_void);
    fn kaname_perf_imb_version() -> *const c_char;
    fn kaname_perf_imb_cm_key(manager: *mut c_void, aes: *const u8, auth: *const u8) -> *mut c_void;
    fn kaname_perf_imb_gcm_key(manager: *mut c_void, aes: *const u8, bits: c_int) -> *mut c_void;
    fn kaname_perf_imb_run(
        manager: *mut c_void,
        packets: *const Packet,
        n: u32,
        encrypt: c_int,
        bits: c_int,
    ) -> u32;
    fn free(pointer: *mut c_void);
}

/// One manager, one key each.
pub struct IpsecMb {
    case: Case,
    manager: *mut c_void,
    keys: Vec<(*mut c_void, SessionKeys)>,
    packets: Vec<Packet>,
    tags: Vec<[u8; 16]>,
    buffers: Vec<u8>,
    sealed: Option<Sealed>,
    len: usize,
    bits: c_int,
}

impl IpsecMb {
    /// The library's version.
    pub fn version() -> String {
        // SAFETY: a constant string of the library.
        unsafe { CStr::from_ptr(kaname_perf_imb_version()) }.to_string_lossy().into_owned()
    }

    /// Makes a manager for this CPU and expands the keys.
    pub fn new(case: &Case) -> IpsecMb {
        // SAFETY: no arguments; null is checked.
        let manager = unsafe { kaname_perf_imb_new() };
        assert!(!manager.is_null(), "ipsec-mb has no manager for this machine");
        let bits = match case.profile {
            Profile::AeadAes128Gcm => 128,
            Profile::AeadAes256Gcm => 256,
            _ => 0,
        };
        let expand = |keys: &SessionKeys| {
            // SAFETY: the manager is live and the keys have the lengths of the suite.
            let key = unsafe {
                if bits == 0 {
                    kaname_perf_imb_cm_key(manager, keys.cipher.as_ptr(), keys.auth.as_ptr())
                } else {
                    kaname_perf_imb_gcm_key(manager, keys.cipher.as_ptr(), bits)
                }
            };
            assert!(!key.is_null(), "out of memory");
            key
        };
        let keys =
            (0..case.sessions).map(|i| SessionKeys::derive(case, i)).map(|k| (expand(&k), k)).collect();
        IpsecMb {
            case: *case,
            manager,
            keys,
            packets: Vec::with_capacity(TOGETHER),
            tags: vec![[0; 16]; TOGETHER],
            buffers: slots(),
            sealed: None,
            len: 0,
            bits,
        }
    }

    fn describe(&mut self, operation: Operation, (at, round, index): (usize, usize, usize), plain: &Plain) {
        let case = self.case;
        let buffer = slot(&mut self.buffers, at);
        let end = case.header + case.payload;
        if operation == Operation::Protect {
            buffer[..case.header].copy_from_slice(plain.header(round, index));
            buffer[case.header..end].copy_from_slice(&plain.payload);
        } else {
            self.tags[at][..case.overhead()].copy_from_slice(&buffer[end..end + case.overhead()]);
        }
        // The HMAC runs over the packet and the roll-over counter (RFC 3711 section 4.2), which is 0 here.
        let tag = if self.bits == 0 {
            buffer[end..end + 4].fill(0);
            buffer[end + 16..].as_mut_ptr()
        } else if operation == Operation::Protect {
            buffer[end..].as_mut_ptr()
        } else {
            buffer[end + 16..].as_mut_ptr()
        };
        let (key, keys) = &self.keys[index];
        self.packets.push(Packet {
            data: buffer.as_mut_ptr(),
            tag,
            key: *key,
            header: case.header as u32,
            payload: case.payload as u32,
            iv: keys.iv(case.profile, case.ssrc(index), case.sequence(round)),
        });
    }

    fn finish(&mut self, operation: Operation, at: usize) {
        let (end, overhead) = (self.case.header + self.case.payload, self.case.overhead());
        let buffer = slot(&mut self.buffers, at);
        if operation == Operation::Unprotect {
            let differ =
                self.tags[at][..overhead].iter().zip(&buffer[end + 16..]).fold(0, |d, (a, b)| d | (a ^ b));
            assert_eq!(differ, 0, "a good tag");
        } else if self.bits == 0 {
            buffer.copy_within(end + 16..end + 16 + overhead, end);
        }
    }
}

impl System for IpsecMb {
    fn name(&self) -> &'static str {
        "ipsec_mb"
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
        self.packets.clear();
        burst.packets().for_each(|packet| self.describe(operation, packet, plain));
        let (count, encrypt) = (self.packets.len() as u32, c_int::from(operation == Operation::Protect));
        // SAFETY: every packet points into its own stretch of `buffers`, which nothing else touches meanwhile, and to
        // a live key of the suite that `bits` names.
        let done =
            unsafe { kaname_perf_imb_run(self.manager, self.packets.as_ptr(), count, encrypt, self.bits) };
        assert_eq!(done, count, "ipsec-mb completes every job");
        (0..self.packets.len()).for_each(|at| self.finish(operation, at));
        let wire = self.case.wire_len();
        self.len = if operation == Operation::Protect { wire } else { wire - self.case.overhead() };
    }

    fn output(&self, slot: usize) -> &[u8] {
        &self.buffers[slot * STRIDE..][..self.len]
    }
}

impl Drop for IpsecMb {
    fn drop(&mut self) {
        // SAFETY: allocated by the shim, freed once.
        unsafe {
            self.keys.iter().for_each(|(key, _)| free(*key));
            kaname_perf_imb_free(self.manager);
        }
    }
}
