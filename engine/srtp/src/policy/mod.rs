//! Sessions that do whatever the RFCs name: several master keys with MKI or lifetimes, key derivation rates, encrypted
//! header extensions, cryptex, encryption and authentication switched by protocol, streams with keys of their own
//! beside a wildcard.
//!
//! [`crate::Inbound`] and [`crate::Outbound`] do what WebRTC needs at the machine's limit; a [`Session`] stands beside them and
//! goes through the same kernels wherever a packet needs no more than they know.
//!
//! Many packets of many sessions go through them together: [`Session::begin_protect`] takes an index, [`Session::protect_job`]
//! makes the job for [`crate::protect_batch`]. [`Session::begin_unprotect`] looks and makes the job for
//! [`crate::unprotect_batch`], [`Receiving::learn`] takes over its verdict, and [`Session::end_unprotect`] changes the session, packet
//! by packet in their order: what a packet gets is what it would get alone, at that place. No step counts a reference or allocates.

mod cryptex;
mod extensions;
mod receive;
mod ring;
mod rtp;
mod send;
mod session;
mod stream;

use zeroize::Zeroizing;

use crate::cipher::Protection;
use crate::error::SrtpError;
use crate::keying::{Keying, Profile};
use crate::limits::{
    DEFAULT_WINDOW, MAX_DERIVATION_RATE, MAX_MASTER_KEYS, MAX_MKI, MAX_POLICY_WINDOW, MAX_RTP_PACKETS,
    MIN_WINDOW,
};

pub use receive::Receiving;
pub use send::{Begun, Sending};
pub use session::{Notice, Scope, Session};

/// A master key with its salt, and how packets find it. Zeroized on drop, never printed (RFC 7714 section 13.1).
#[derive(Clone)]
pub struct MasterKey {
    key: Zeroizing<Vec<u8>>,
    salt: Zeroizing<Vec<u8>>,
    mki: Vec<u8>,
    from: u64,
    to: u64,
}

impl MasterKey {
    /// A key of 16, 24 or 32 bytes and a salt of 12 or 14. `None` for any other length.
    pub fn new(key: &[u8], salt: &[u8]) -> Option<MasterKey> {
        let possible = matches!(key.len(), 16 | 24 | 32) && matches!(salt.len(), 12 | 14);
        possible.then(|| MasterKey {
            key: Zeroizing::new(key.to_vec()),
            salt: Zeroizing::new(salt.to_vec()),
            mki: Vec::new(),
            from: 0,
            to: MAX_RTP_PACKETS - 1,
        })
    }

    /// Names the key on the wire (RFC 3711 section 3.1). `None` unless `mki` has 1 to 128 bytes.
    pub fn with_mki(self, mki: &[u8]) -> Option<MasterKey> {
        (1..=MAX_MKI).contains(&mki.len()).then(|| MasterKey { mki: mki.to_vec(), ..self })
    }

    /// Lets the key protect the SRTP indices `from` to `to` and no others (RFC 3711 section 8.1.1).
    pub fn with_lifetime(self, from: u64, to: u64) -> MasterKey {
        MasterKey { from, to, ..self }
    }

    /// Whether both would make the same session keys.
    fn is_same_key(&self, other: &MasterKey) -> bool {
        crate::ct::equal(&self.key, &other.key) && crate::ct::equal(&self.salt, &other.salt)
    }
}

impl From<&Keying> for MasterKey {
    fn from(keying: &Keying) -> MasterKey {
        MasterKey {
            key: Zeroizing::new(keying.key().to_vec()),
            salt: Zeroizing::new(keying.salt().to_vec()),
            mki: Vec::new(),
            from: 0,
            to: MAX_RTP_PACKETS - 1,
        }
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey").field("mki", &self.mki).finish_non_exhaustive()
    }
}

/// What is done to the packets of a stream, or of all streams of a session.
#[derive(Clone, Debug)]
pub struct Policy {
    /// For SRTP packets.
    pub rtp: Protection,
    /// For SRTCP packets.
    pub rtcp: Protection,
    /// One to sixteen master keys. Without MKI the first whose lifetime has the packet's index is used.
    pub masters: Vec<MasterKey>,
    /// Replay window for SRTP in packets, taken up to the next power of two within 64 to 32768.
    pub window: usize,
    /// Packets for which session keys serve: 0 (for ever) or a power of two up to 2^24 (RFC 3711 section 4.3.1). As long as a
    /// session has a master key, its rate stays.
    pub derivation_rate: u32,
    /// Numbers of the header extensions that are encrypted (RFC 6904).
    pub encrypted_extensions: Vec<u8>,
    /// Whether CSRCs and all of the header extension are encrypted (RFC 9335), and such packets understood. Packets without
    /// are understood as well; for a packet sent so, `encrypted_extensions` are not looked at.
    pub cryptex: bool,
    /// Lets a packet be sent again under its old index. It must be the very same packet: two different ones under one
    /// index give both away.
    pub allow_repeat: bool,
    /// SRTCP index of the first packet sent. RFC 3711 section 3.4 has 0; libsrtp2 begins with 1.
    pub first_rtcp_index: u32,
}

impl Policy {
    /// What a profile says, under one master key.
    pub fn new(profile: Profile, master: MasterKey) -> Policy {
        Policy {
            rtp: profile.rtp(),
            rtcp: profile.rtcp(),
            masters: vec![master],
            window: DEFAULT_WINDOW,
            derivation_rate: 0,
            encrypted_extensions: Vec::new(),
            cryptex: false,
            allow_repeat: false,
            first_rtcp_index: 0,
        }
    }

    /// Whether a session can work like this.
    fn check(&self) -> Result<(), SrtpError> {
        let protections = [self.rtp, self.rtcp];
        let key_len = self.rtp.cipher.key_len().max(self.rtcp.cipher.key_len());
        let good = protections.iter().all(Protection::is_possible)
            // RFC 7714 section 8.2: with an AEAD all SRTP packets MUST be both authenticated and encrypted; section 9: SRTCP may be not.
            && (self.rtp.encrypt || !self.rtp.cipher.is_gcm())
            && (1..=MAX_MASTER_KEYS).contains(&self.masters.len())
            // RFC 6188 section 3.1: AES-192 and AES-256 MUST NOT have keys that a shorter AES derived. RFC 7714 section 3: the master
            // key MUST be at least as large as the encryption key derived from it.
            && self.masters.iter().all(|master| master.key.len() >= key_len)
            // RFC 3711 section 4.3.1: the rate is an element of {1, 2, 4, ..., 2^24}, or zero.
            && (self.derivation_rate == 0 || self.derivation_rate.is_power_of_two())
            && self.derivation_rate <= MAX_DERIVATION_RATE
            && self.first_rtcp_index <= 1;
        if good { Ok(()) } else { Err(SrtpError::Policy) }
    }

    /// The size the replay window really gets.
    fn window_size(&self) -> usize {
        self.window.clamp(MIN_WINDOW, MAX_POLICY_WINDOW).next_power_of_two()
    }

    /// Whether a packet needs nothing that the kernels for many packets do not know.
    fn is_plain(&self) -> bool {
        self.rtp.is_plain() && !self.cryptex && self.encrypted_extensions.is_empty()
    }
}
