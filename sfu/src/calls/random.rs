//! Where keys, credentials and names come from.

use kaname_engine::ShardId;
use kaname_engine::io::steer::letter;

use crate::ng::sdp::ice::Ice;

/// Letters of random names: no two that look alike.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Fills with random bytes.
type Fill = dyn FnMut(&mut [u8]) + Send;

/// The system's randomness, or a test's own.
pub(super) struct Random(pub(super) Box<Fill>);

impl Random {
    /// From the operating system.
    pub(super) fn system() -> Random {
        // Without randomness there are no keys; after start-up the system's source does not fail.
        Random(Box::new(|bytes| {
            if let Err(error) = getrandom::fill(bytes) {
                panic!("the system gave no random bytes: {error}");
            }
        }))
    }

    /// Fills with random bytes.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    /// `length` letters of 5 random bits each.
    pub(super) fn letters(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
    }

    /// 32 random bits.
    pub(super) fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    /// 64 random bits.
    pub(super) fn long_number(&mut self) -> u64 {
        u64::from(self.number()) << 32 | u64::from(self.number())
    }

    /// RFC 8445 section 5.3: at least 24 and 128 bits of randomness; here 50 and 160. The fragment begins with the
    /// shard's letter, so that checks find it.
    pub(super) fn ice(&mut self, shard: ShardId) -> Ice {
        let ufrag = format!("{}{}", letter(shard.0), self.letters(10));
        Ice { ufrag, pwd: self.letters(32), ..Ice::default() }
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}
