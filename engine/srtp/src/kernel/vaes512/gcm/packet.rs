//! One packet through cipher and hash.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::super::aes::{encrypt, spread_all};
use super::super::ghash::{Products, first_power, turned};
use super::shape::Shape;
use super::{LEAD, MOST, WIDE};
use crate::kernel::x86::{GcmKeys, mem};

/// What to XOR a counter block of zero with, for every vector: block `4 v + l` has counter `4 v + l + 1`, and the lead is
/// the one that masks the tag. RFC 7714 section 13.1: the counter MUST be reset to 1 at the start of each packet.
static COUNTERS: [[[u8; 16]; 4]; MOST] = counters();

const fn counters() -> [[[u8; 16]; 4]; MOST] {
    let mut counters = [[[0; 16]; 4]; MOST];
    let mut block = 0;
    while block < 4 * MOST {
        counters[block / 4][block % 4][15] = (block + 1) as u8;
        block += 1;
    }
    counters
}

/// One packet on its way through the cipher. Whoever makes one promises that `aad` has the header of its shape, and `input`
/// from `from` on its text.
pub(super) struct Packet<'a, const N: usize> {
    keys: &'a GcmKeys<N>,
    shape: &'a Shape,
    /// The counter block of zero, the first round key added, in all places.
    start: __m512i,
    aad: &'a [u8],
    input: &'a [u8],
    from: isize,
}

impl<'a, const N: usize> Packet<'a, N> {
    /// # Safety
    /// `aad` has at least as many bytes as the shape says, and `input` as many behind `from`.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    pub(super) unsafe fn new(
        keys: &'a GcmKeys<N>,
        shape: &'a Shape,
        (ssrc, index): (u32, u64),
        aad: &'a [u8],
        input: &'a [u8],
        from: usize,
    ) -> Packet<'a, N> {
        debug_assert!(aad.len() >= shape.aad_len && input.len() >= from + shape.text_len);
        // RFC 7714 section 8.1: two bytes of zeros, SSRC and index, in network order; the counter stays zero here.
        let place = _mm_insert_epi32::<2>(_mm_set_epi64x(0, index as i64), ssrc as i32);
        let order = _mm_set_epi8(-1, -1, -1, -1, 0, 1, 2, 3, 4, 5, 8, 9, 10, 11, -1, -1);
        let start = _mm_xor_si128(_mm_shuffle_epi8(place, order), keys.salt_block());
        let start = _mm512_broadcast_i32x4(_mm_xor_si128(start, mem::load(&keys.round_keys[0])));
        Packet { keys, shape, start, aad, input, from: from as isize - LEAD as isize }
    }

    /// Hashes the header ahead of its last block, whose power is at `at`.
    #[target_feature(enable = "vpclmulqdq,avx512f,avx512bw,bmi2")]
    #[inline]
    fn ahead(&self, hash: &mut Products, at: usize) {
        let blocks = self.shape.ahead_blocks;
        if blocks > 0 {
            // SAFETY: the mask has only bytes of the header; a group has places for three blocks more than its sixteen.
            unsafe {
                let ahead = turned(mem::load_masked(self.aad, 0, self.shape.ahead));
                hash.add(self.keys, at - blocks, ahead);
            }
        }
    }

    /// The last block of the header, turned around, in the first place.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi2,ssse3")]
    #[inline]
    fn lead(&self) -> __m512i {
        let (at, mask) = self.shape.lead();
        // SAFETY: the mask has only bytes of the header.
        turned(unsafe { mem::load_masked(self.aad, at, mask) })
    }

    /// A packet of `W` vectors into `out`, at most [`WIDE`]; gives the tag.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    pub(super) fn run_few<const W: usize>(&self, out: &mut impl Sink) -> __m128i {
        let stream = encrypt(&spread_all(&self.keys.round_keys), self.counters::<W>(0));
        let mask = stream[0];
        let mut data = self.text::<W, true>(0, stream, out);
        data[0] = _mm512_xor_si512(data[0], self.lead());
        let mut ahead = Products::none();
        self.ahead(&mut ahead, self.shape.at);
        masked(self.end(data, ahead), mask)
    }

    /// The hash of a packet's last group, `W` vectors, and what was summed up `ahead`.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    fn end<const W: usize>(&self, mut data: [__m512i; W], ahead: Products) -> __m512i {
        let Shape { at, behind, full, lengths, .. } = *self.shape;
        data[W - 1] = _mm512_xor_si512(data[W - 1], behind);
        let mut hash = ahead;
        // SAFETY: a group of blocks ends with the last power at the latest.
        unsafe {
            if full {
                hash.add(self.keys, first_power(1), _mm512_zextsi128_si512(lengths));
            }
            for (i, data) in data.into_iter().enumerate() {
                hash.add(self.keys, at + 4 * i, data);
            }
        }
        hash.reduce()
    }

    /// A packet of more vectors into `out`; gives the tag. Groups are hashed place by place, every fourth block with the same
    /// power, so that a group's sum need not be gathered from its four places. Only the last whole group's is: behind it
    /// there may be less than a vector.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    pub(super) fn run_many(&self, out: &mut impl Sink) -> __m128i {
        let round_keys = &spread_all(&self.keys.round_keys);
        let stream = encrypt(round_keys, self.counters::<WIDE>(0));
        let mask = stream[0];
        let mut data = self.text::<WIDE, false>(0, stream, out);
        data[0] = _mm512_xor_si512(data[0], self.lead());
        let mut hash = self.ahead_of_group(self.shape.vectors <= 2 * WIDE);
        let mut done = WIDE;
        while self.shape.vectors - done > WIDE {
            hash.add_group(self.keys, data);
            let stream = encrypt(round_keys, self.counters::<WIDE>(done));
            data = self.text::<WIDE, false>(done, stream, out);
            data[0] = _mm512_xor_si512(data[0], hash.reduce_places());
            hash = Products::none();
            done += WIDE;
        }
        for (i, data) in data.into_iter().enumerate() {
            // SAFETY: the last sixteen powers.
            unsafe { hash.add(self.keys, first_power(4 * WIDE) + 4 * i, data) };
        }
        let sum = hash.reduce();
        let sum = match self.shape.vectors - done {
            1 => self.tail::<1>(round_keys, done, sum, out),
            2 => self.tail::<2>(round_keys, done, sum, out),
            3 => self.tail::<3>(round_keys, done, sum, out),
            _ => self.tail::<4>(round_keys, done, sum, out),
        };
        masked(sum, mask)
    }

    /// The header ahead of its last block, as the end of a vector ahead of a whole group: the `last` one, or one that is hashed
    /// place by place.
    #[target_feature(enable = "vpclmulqdq,avx512f,avx512bw")]
    #[inline]
    fn ahead_of_group(&self, last: bool) -> Products {
        let mut hash = Products::none();
        if self.shape.ahead_blocks > 0 {
            let at = 16 * self.shape.ahead_blocks as isize - 64;
            // SAFETY: the mask has only bytes of the header; the first power is H^20.
            unsafe {
                let ahead = turned(mem::load_masked(self.aad, at, self.shape.ahead << -at));
                if last {
                    hash.add(self.keys, first_power(4 * WIDE + 4), ahead);
                } else {
                    hash.add_everywhere(self.keys, WIDE + 1, ahead);
                }
            }
        }
        hash
    }

    /// The last `W` vectors behind those that have the `sum`. Gives the hash.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    fn tail<const W: usize>(
        &self,
        round_keys: &[__m512i; N],
        from: usize,
        sum: __m512i,
        out: &mut impl Sink,
    ) -> __m512i {
        let stream = encrypt(round_keys, self.counters::<W>(from));
        let mut data = self.text::<W, true>(from, stream, out);
        data[0] = _mm512_xor_si512(data[0], sum);
        self.end(data, Products::none())
    }

    /// The counter blocks of vectors `from..from + W`, the first round key added.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn counters<const W: usize>(&self, from: usize) -> [__m512i; W] {
        let mut blocks = [self.start; W];
        for (i, block) in blocks.iter_mut().enumerate() {
            *block = _mm512_xor_si512(*block, mem::load_blocks(&COUNTERS[from + i]));
        }
        blocks
    }

    /// Encrypts or decrypts vectors `from..from + W` into `out` with their keystream. Gives the ciphertext, turned around.
    /// `LAST` if the packet's last vector is among them.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    fn text<const W: usize, const LAST: bool>(
        &self,
        from: usize,
        mut stream: [__m512i; W],
        out: &mut impl Sink,
    ) -> [__m512i; W] {
        for (i, stream) in stream.iter_mut().enumerate() {
            let whole = !(LAST && i + 1 == W || from == 0 && i == 0);
            let offset = (64 * (from + i)) as isize;
            let mask = if whole { u64::MAX } else { self.shape.mask(from + i) };
            // SAFETY: the mask has only bytes of the text; a vector that is neither the first nor the last is all text.
            let (input, text) = unsafe {
                let input = if whole {
                    mem::load_whole(self.input, (self.from + offset) as usize)
                } else {
                    mem::load_masked(self.input, self.from + offset, mask)
                };
                let text = _mm512_xor_si512(input, *stream);
                out.put(from + i, offset, whole, mask, text);
                (input, text)
            };
            let cipher = match (out.opens(), whole) {
                (true, _) => input,
                (false, true) => text,
                (false, false) => _mm512_maskz_mov_epi8(mask, text),
            };
            *stream = turned(cipher);
        }
        stream
    }

    /// The text of a packet of `W` vectors into `out`, if `tag` is right.
    ///
    /// # Safety
    /// `out` has room for header and text of the shape.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    pub(super) unsafe fn open_few<const W: usize>(&self, tag: __m128i, out: &mut [u8]) -> bool {
        let mut text = OpenFew([_mm512_setzero_si512(); W]);
        let good = mem::same(self.run_few::<W>(&mut text), tag);
        if good {
            for (i, text) in text.0.into_iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { self.store(i, i == 0 || i + 1 == W, text, out) };
            }
        }
        good
    }

    /// The text of a longer packet into `out`, if `tag` is right.
    ///
    /// # Safety
    /// As for [`Packet::open_few`].
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
    #[inline]
    pub(super) unsafe fn open_many(
        &self,
        tag: __m128i,
        waiting: &mut [MaybeUninit<__m512i>; MOST],
        out: &mut [u8],
    ) -> bool {
        let good = mem::same(self.run_many(&mut OpenMany(waiting)), tag);
        if good {
            let [first, middle @ .., last] = &waiting[..self.shape.vectors] else { return false };
            // SAFETY: `run_many` wrote every vector of the packet; and the caller's promise.
            unsafe {
                self.store(0, true, first.assume_init(), out);
                for (i, text) in middle.iter().enumerate() {
                    self.store(i + 1, false, text.assume_init(), out);
                }
                self.store(self.shape.vectors - 1, true, last.assume_init(), out);
            }
        }
        good
    }

    /// Stores vector `i` of the text, the first and the last at its `edge`.
    ///
    /// # Safety
    /// As for [`Packet::open_few`].
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    #[inline]
    unsafe fn store(&self, i: usize, edge: bool, text: __m512i, out: &mut [u8]) {
        let offset = (self.shape.aad_len + 64 * i) as isize - LEAD as isize;
        // SAFETY: the mask has only bytes of the text; a vector that is neither the first nor the last is all text.
        unsafe {
            if edge {
                mem::store_masked(out, offset, self.shape.mask(i), text);
            } else {
                mem::store_whole(out, offset as usize, text);
            }
        }
    }
}

/// The tag: the hash, turned back, with the first block of keystream.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn masked(sum: __m512i, stream: __m512i) -> __m128i {
    _mm_xor_si128(_mm512_castsi512_si128(turned(sum)), _mm512_castsi512_si128(stream))
}

/// Where the text goes.
pub(super) trait Sink {
    /// Whether what goes there is plaintext.
    fn opens(&self) -> bool;
    /// Takes those bytes of a vector that `mask` has; all if it is `whole`.
    ///
    /// # Safety
    /// They lie in the text, of whose first vector this one lies `offset` bytes off.
    unsafe fn put(&mut self, i: usize, offset: isize, whole: bool, mask: u64, text: __m512i);
}

/// Ciphertext goes where it will be sent from: a packet, and the number of bytes ahead of its text.
pub(super) struct Seal<'a>(pub(super) &'a mut [u8], pub(super) usize);

impl Sink for Seal<'_> {
    #[inline(always)]
    fn opens(&self) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn put(&mut self, _i: usize, offset: isize, whole: bool, mask: u64, text: __m512i) {
        let offset = offset + self.1 as isize - LEAD as isize;
        // SAFETY: the caller's promise; whoever has a vector of 512 bits has the features.
        unsafe {
            if whole {
                mem::store_whole(self.0, offset as usize, text);
            } else {
                mem::store_masked(self.0, offset, mask, text);
            }
        }
    }
}

/// Plaintext waits here until the tag turns out right: RFC 7714 section 5.3, it MUST NOT be released before. That it is there at all is
/// an exception (`lib.rs`).
struct OpenMany<'a>(&'a mut [MaybeUninit<__m512i>; MOST]);

impl Sink for OpenMany<'_> {
    #[inline(always)]
    fn opens(&self) -> bool {
        true
    }

    #[inline(always)]
    unsafe fn put(&mut self, i: usize, _offset: isize, _whole: bool, _mask: u64, text: __m512i) {
        self.0[i].write(text);
    }
}

/// Plaintext of a packet of `W` vectors stays in registers until then.
struct OpenFew<const W: usize>([__m512i; W]);

impl<const W: usize> Sink for OpenFew<W> {
    #[inline(always)]
    fn opens(&self) -> bool {
        true
    }

    #[inline(always)]
    unsafe fn put(&mut self, i: usize, _offset: isize, _whole: bool, _mask: u64, text: __m512i) {
        self.0[i] = text;
    }
}
