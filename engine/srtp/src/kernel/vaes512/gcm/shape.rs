//! What packets of equal lengths have in common: masks, places and the block of lengths. Found once for a run of them.

use std::arch::x86_64::*;

use super::super::ghash::first_power;
use super::{LEAD, MOST_TEXT, WIDE};
use crate::kernel::x86::mem;

/// Lengths of a packet that goes the fast way, and what follows from them.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Bytes of associated data: the header.
    pub(super) aad_len: usize,
    pub(super) text_len: usize,
    /// Vectors of keystream.
    pub(super) vectors: usize,
    /// Which bytes of the first vector, and of the last, belong to the text.
    first: u64,
    last: u64,
    /// All bytes of the header; those of its last block; and those of the blocks ahead.
    pub(super) header: u64,
    lead: u64,
    pub(super) ahead: u64,
    /// Blocks of the header ahead of its last one.
    pub(super) ahead_blocks: usize,
    /// The block of lengths, turned around.
    pub(super) lengths: __m128i,
    /// The same in its place behind the text; zero if the last vector has none left.
    pub(super) behind: __m512i,
    /// Whether the block of lengths needs a vector of its own.
    pub(super) full: bool,
    /// The place of the power for the first block of the last group.
    pub(super) at: usize,
}

impl Shape {
    /// `None` for packets that go the slow way.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
    #[inline]
    pub(super) fn new(aad_len: usize, text_len: usize) -> Option<Shape> {
        if !(1..=64).contains(&aad_len) || text_len > MOST_TEXT {
            return None;
        }
        let vectors = (LEAD + text_len).div_ceil(64);
        let tail = mem::ones(LEAD + text_len - 64 * (vectors - 1));
        let head = u64::MAX << LEAD;
        let (first, last) = if vectors == 1 { (tail & head, tail & head) } else { (head, tail) };
        let ahead_len = (aad_len - 1) & !15;
        // The last group has one to `WIDE` vectors; of its places lead and text take so many.
        let group = (vectors - 1) % WIDE + 1;
        let used = 1 + text_len.div_ceil(16) - 4 * (vectors - group);
        let full = used == 4 * group;
        let lengths = mem::halves(8 * text_len as u64, 8 * aad_len as u64);
        let place = if full { 0 } else { 0b11 << (2 * (used % 4)) };
        Some(Shape {
            aad_len,
            text_len,
            vectors,
            first,
            last,
            header: mem::ones(aad_len),
            lead: mem::ones(aad_len - ahead_len),
            ahead: mem::ones(ahead_len),
            ahead_blocks: ahead_len / 16,
            lengths,
            behind: _mm512_maskz_broadcast_i64x2(place, lengths),
            full,
            at: first_power(used + 1),
        })
    }

    /// Which bytes of vector `i` belong to the text.
    #[inline(always)]
    pub(super) fn mask(&self, i: usize) -> u64 {
        if i == 0 { self.first } else { self.last }
    }

    /// Which bytes of the header's last block there are, and where it begins.
    #[inline(always)]
    pub(super) fn lead(&self) -> (isize, u64) {
        (16 * self.ahead_blocks as isize, self.lead)
    }
}
