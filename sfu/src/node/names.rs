//! Names: which ones are accepted, and how random ones are made.

use std::collections::HashSet;

use kaname_engine::ShardId;
use kaname_engine::io::steer::letter;

use super::error::NodeError;
use crate::sdp::Ice;

/// Letters of random names: no two that look alike.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Fills with random bytes.
type Fill = dyn FnMut(&mut [u8]) + Send;

/// Where randomness comes from: the system, or a test's own source.
pub(super) struct Random(pub(super) Box<Fill>);

impl Random {
    /// From the operating system.
    pub(super) fn system() -> Random {
        // Without randomness there are no credentials; a node that cannot get it must not go on. After start-up
        // the system's source does not fail.
        Random(Box::new(|bytes| {
            if let Err(error) = getrandom::fill(bytes) {
                panic!("the system gave no random bytes: {error}");
            }
        }))
    }

    /// `length` letters of 5 random bits each.
    pub(super) fn letters(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        (self.0)(&mut bytes);
        bytes.iter().map(|b| char::from(LETTERS[usize::from(b & 31)])).collect()
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// RFC 8445 section 5.3: at least 24 and 128 bits of randomness; here 50 and 160. The fragment is long enough
    /// to be unique on a shard, and begins with the shard's letter, so that checks find it.
    pub(super) fn ice(&mut self, shard: ShardId) -> Ice {
        Ice { ufrag: format!("{}{}", letter(shard.0), self.letters(10)), pwd: self.letters(32) }
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}

/// The SSRCs that one connection sends, each once only: under one key an SSRC must not begin anew, or its first
/// packets would be encrypted with a key stream that was used before (RFC 3711 section 9.1). The order is that
/// of a counter times an odd number, which meets every number once, behind a random mask.
#[derive(Debug)]
pub(super) struct Ssrcs {
    mask: u32,
    next: u32,
}

impl Ssrcs {
    pub(super) fn new(random: &mut Random) -> Ssrcs {
        Ssrcs { mask: (random.number() >> 32) as u32, next: 0 }
    }

    /// How many have been given out.
    pub(super) fn count(&self) -> usize {
        self.next as usize
    }

    /// The next one that is not among `taken` (what the peer itself sends), nor 0.
    pub(super) fn take(&mut self, taken: &HashSet<u32>) -> u32 {
        loop {
            let ssrc = self.next.wrapping_mul(0x9e37_79b1) ^ self.mask;
            self.next = self.next.wrapping_add(1);
            if ssrc != 0 && !taken.contains(&ssrc) {
                return ssrc;
            }
        }
    }
}

/// Numbers with this bit are of telephone calls, which are made beside the rooms.
const CALLS: u32 = 1 << 31;

/// Numbers of legs, streams, senders and of what audio workers do: never one that is in use.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    next: u32,
    used: HashSet<u32>,
}

impl Numbers {
    pub(super) fn take(&mut self) -> u32 {
        loop {
            let number = self.next & !CALLS;
            self.next = self.next.wrapping_add(1);
            if self.used.insert(number) {
                return number;
            }
        }
    }

    pub(super) fn free(&mut self, number: u32) {
        self.used.remove(&number);
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.used.len()
    }
}

/// The longest name of a room or peer, in characters.
const NAME_CHARS: usize = 64;

/// A room's name goes into addresses and logs, so its letters are few.
pub(super) fn check_room(name: &str) -> Result<(), NodeError> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if letters && (1..=NAME_CHARS).contains(&name.len()) {
        return Ok(());
    }
    Err(NodeError::BadName {
        what: "the room's name is not accepted",
        hint: "use 1 to 64 letters, digits, dots, underscores or hyphens",
    })
}

/// A peer's name is shown to others, so it may be anything printable.
pub(super) fn check_peer(name: &str) -> Result<String, NodeError> {
    let name = name.trim();
    let length = name.chars().take(NAME_CHARS + 1).count();
    if (1..=NAME_CHARS).contains(&length) && !name.chars().any(hidden) {
        return Ok(name.to_owned());
    }
    Err(NodeError::BadName {
        what: "the peer's name is not accepted",
        hint: "use 1 to 64 characters without control characters",
    })
}

/// Control characters, and those that turn the direction of what follows, which could disguise another name.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rooms_are_safe_in_addresses_and_logs() {
        for good in ["lobby", "A.b_c-9", &"x".repeat(64)] {
            assert_eq!(check_room(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a/b", "../x", "a\nb", "é", &"x".repeat(65)] {
            assert!(check_room(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_peers_are_printable() {
        assert_eq!(check_peer("  Ada Lovelace "), Ok("Ada Lovelace".into()));
        assert_eq!(check_peer("要"), Ok("要".into()));
        for bad in ["", "   ", "a\nb", "\u{202e}evil", &"x".repeat(65)] {
            assert!(check_peer(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_ssrc_is_used_once() {
        let mut ssrcs = Ssrcs { mask: 7, next: 0 };
        let taken = HashSet::from([7, 0x9e37_79b1 ^ 7]);
        let many: HashSet<u32> = (0..10_000).map(|_| ssrcs.take(&taken)).collect();
        assert_eq!(many.len(), 10_000);
        assert!(many.is_disjoint(&taken) && !many.contains(&0));
    }

    #[test]
    fn numbers_are_not_reused_while_in_use() {
        let mut numbers = Numbers { next: u32::MAX, used: HashSet::new() };
        assert_eq!(numbers.take(), u32::MAX >> 1, "without the bit of calls");
        assert_eq!(numbers.take(), 0);
        numbers.next = u32::MAX;
        assert_eq!(numbers.take(), 1);
        numbers.free(u32::MAX >> 1);
        numbers.next = u32::MAX;
        assert_eq!(numbers.take(), u32::MAX >> 1);
    }
}
