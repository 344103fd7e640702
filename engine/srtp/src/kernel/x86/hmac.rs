//! HMAC-SHA1 by SHA-NI of up to four messages side by side (RFC 2104), from the midstates in the keys.
//!
//! Every message is seen as a row of blocks: whole ones where they lie, and one or two at its end that hold the rest, the
//! suffix and the padding. Longer messages come first, so that those still running are always a front part.

use crate::cpu::AesNi;
use crate::kernel::aesni::sha1;
use crate::kernel::portable::sha1::{BLOCK, State};

/// Messages that AVX-512 works on at once.
pub(crate) const LANES: usize = 16;

/// Bytes of padding at least: the bit 1 and the length.
const PADDING: usize = 9;

/// Messages that SHA-NI works on at once, at most.
pub(crate) const GROUP: usize = 4;

/// A message behind one block that was already taken in.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    whole: &'a [[u8; BLOCK]],
    tail: [[u8; BLOCK]; 2],
    blocks: usize,
}

impl<'a> Message<'a> {
    pub(crate) const EMPTY: Message<'a> = Message { whole: &[], tail: [[0; BLOCK]; 2], blocks: 1 };

    /// `message || suffix`; the suffix is at most four bytes.
    #[inline]
    pub(crate) fn new(message: &'a [u8], suffix: &[u8]) -> Message<'a> {
        let mut new = Message::EMPTY;
        new.set(message, suffix);
        new
    }

    /// Makes an empty one `message || suffix`.
    #[inline(always)]
    pub(crate) fn set(&mut self, message: &'a [u8], suffix: &[u8]) {
        let (whole, rest) = message.as_chunks::<BLOCK>();
        let bytes = self.tail.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        let used = rest.len() + suffix.len();
        bytes[rest.len()..used].copy_from_slice(suffix);
        bytes[used] = 0x80;
        let tail_blocks = (used + PADDING).div_ceil(BLOCK);
        let bits = 8 * (BLOCK + message.len() + suffix.len()) as u64;
        bytes[tail_blocks * BLOCK - 8..tail_blocks * BLOCK].copy_from_slice(&bits.to_be_bytes());
        self.whole = whole;
        self.blocks = whole.len() + tail_blocks;
    }

    #[inline(always)]
    pub(crate) fn block(&self, i: usize) -> &[u8; BLOCK] {
        self.whole.get(i).unwrap_or_else(|| &self.tail[(i - self.whole.len()) & 1])
    }
}

impl Message<'static> {
    /// Makes an empty one the outer hash's message: the inner digest.
    #[inline(always)]
    fn set_digest(&mut self, state: &State) {
        let block = &mut self.tail[0];
        block[..20].copy_from_slice(&bytes(state));
        block[20] = 0x80;
        block[BLOCK - 8..].copy_from_slice(&(8 * (BLOCK as u64 + 20)).to_be_bytes());
    }
}

/// A digest as it is sent.
#[inline]
pub(crate) fn bytes(state: &State) -> [u8; 20] {
    let mut bytes = [0; 20];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// The codes of `count` messages, longest first. `states` holds the inner midstates and gets the codes; `outer` holds the
/// outer midstates.
pub(crate) fn codes<const G: usize>(
    aesni: AesNi,
    count: usize,
    states: &mut [State; G],
    messages: &[Message<'_>; G],
    outer: &[State; G],
) {
    debug_assert!(messages[..count].is_sorted_by_key(|message| usize::MAX - message.blocks));
    run(aesni, &mut states[..count], &messages[..count]);
    let mut digests = [Message::EMPTY; G];
    for (digest, state) in digests.iter_mut().zip(&*states) {
        digest.set_digest(state);
    }
    *states = *outer;
    run(aesni, &mut states[..count], &digests[..count]);
}

/// Takes all blocks of all messages into their states.
fn run(aesni: AesNi, states: &mut [State], messages: &[Message<'_>]) {
    let mut done = 0;
    for live in (1..=messages.len()).rev() {
        let until = messages[live - 1].blocks;
        if until > done {
            advance(aesni, &mut states[..live], &messages[..live], done, until);
            done = until;
        }
    }
}

/// Takes blocks `from..until` of all messages into their states.
fn advance(aesni: AesNi, mut states: &mut [State], mut messages: &[Message<'_>], from: usize, until: usize) {
    while !states.is_empty() {
        let lanes = match states.len() {
            1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        let (now, later) = states.split_at_mut(lanes);
        sha1(aesni, now, &messages[..lanes], from, until);
        (states, messages) = (later, &messages[lanes..]);
    }
}
