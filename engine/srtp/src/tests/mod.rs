//! Tests that every backend must pass.

mod batches;
#[cfg(target_os = "linux")]
mod guards;
mod packets;
mod policies;
mod properties;
mod runs;
mod sessions;
mod vectors;
mod wycheproof;

use crate::keying::{Keying, Profile};

/// Runs a test body on every backend this machine has; a failure names the backend.
macro_rules! on_every_backend {
    ($(#[$meta:meta])* fn $name:ident($backend:ident) $body:block) => {
        $(#[$meta])*
        #[test]
        fn $name() {
            for $backend in $crate::Backend::all_available() {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| $body));
                assert!(outcome.is_ok(), "failed on backend {}", $backend.name());
            }
        }
    };
}
pub(crate) use on_every_backend;

pub(crate) const PROFILES: [Profile; 10] = Profile::ALL;

/// A master key that differs for each `seed`.
pub(crate) fn keying(profile: Profile, seed: u8) -> Keying {
    let key: Vec<u8> = (0..32).map(|i: u8| i.wrapping_mul(7) ^ seed).collect();
    Keying::new(profile, &key[..profile.key_len()], &key[..profile.salt_len()]).unwrap()
}

/// An RTP header with `csrcs` CSRCs and, if asked, an extension of `words` words.
pub(crate) fn header(ssrc: u32, seq: u16, csrcs: u8, words: Option<u16>) -> Vec<u8> {
    let mut header = vec![0x80 | csrcs | (u8::from(words.is_some()) << 4), 96];
    header.extend(seq.to_be_bytes());
    header.extend(0x0102_0304u32.to_be_bytes());
    header.extend(ssrc.to_be_bytes());
    header.extend((0..csrcs).flat_map(|i| [i; 4]));
    if let Some(words) = words {
        header.extend([0xbe, 0xde]);
        header.extend(words.to_be_bytes());
        header.extend((0..4 * words).map(|i| i as u8));
    }
    header
}
