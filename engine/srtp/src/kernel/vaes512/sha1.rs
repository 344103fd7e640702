//! SHA-1 of sixteen messages side by side: one 32-bit place of a vector each.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use crate::kernel::portable::sha1::BLOCK;
use crate::kernel::x86::hmac::LANES;
use crate::kernel::x86::mem;

/// Truth tables for VPTERNLOG: choose, parity, majority.
const CHOOSE: i32 = 0xca;
const PARITY: i32 = 0x96;
const MAJORITY: i32 = 0xe8;

/// Bytes behind a message: roll-over counter, the bit 1 and the length.
pub(super) const TRAILER: usize = 4 + 1 + 8;

/// Up to sixteen messages, each with a roll-over counter and padding behind it.
pub(super) struct Lanes<'a> {
    keys: [MaybeUninit<&'a [u32; 16]>; LANES],
    messages: [MaybeUninit<&'a [u8]>; LANES],
    rocs: [u32; LANES],
    /// Blocks of each message, padding included; none of an idle lane.
    blocks: [u32; LANES],
    count: usize,
    /// Whether all messages have one length, and which.
    even: bool,
    len: usize,
}

impl<'a> Lanes<'a> {
    #[inline]
    pub(super) fn new() -> Lanes<'a> {
        let (keys, messages) = ([MaybeUninit::uninit(); LANES], [MaybeUninit::uninit(); LANES]);
        Lanes { keys, messages, rocs: [0; LANES], blocks: [0; LANES], count: 0, even: true, len: 0 }
    }

    /// For messages that all have `len` bytes.
    #[inline]
    pub(super) fn even(len: usize) -> Lanes<'a> {
        let mut lanes = Lanes::new();
        lanes.blocks[0] = (len + TRAILER).div_ceil(BLOCK) as u32;
        lanes.len = len;
        lanes
    }

    /// Adds a message of the length of all, which stands at the beginning of `packet`.
    #[inline]
    pub(super) fn push_even(&mut self, midstates: &'a [u32; 16], packet: &'a [u8], roc: u32) {
        debug_assert!(self.even && packet.len() >= self.len);
        let i = self.count;
        self.keys[i].write(midstates);
        self.messages[i].write(packet);
        self.rocs[i] = roc;
        self.count += 1;
    }

    /// Adds a message, with the midstates of its key.
    #[inline]
    pub(super) fn push(&mut self, midstates: &'a [u32; 16], message: &'a [u8], roc: u32) {
        let i = self.count;
        self.keys[i].write(midstates);
        self.messages[i].write(message);
        self.rocs[i] = roc;
        self.blocks[i] = (message.len() + TRAILER).div_ceil(BLOCK) as u32;
        self.count += 1;
        self.len = self.message(0).len();
        self.even &= message.len() == self.len;
    }

    /// The message of a lane; an idle one repeats the first.
    #[inline(always)]
    fn message(&self, lane: usize) -> &'a [u8] {
        debug_assert!(self.count > 0);
        // SAFETY: the first `count` are initialised.
        unsafe { self.messages[if lane < self.count { lane } else { 0 }].assume_init() }
    }

    /// The codes of all messages, for [`code`].
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    pub(super) fn codes(&self) -> Codes {
        debug_assert!((1..=LANES).contains(&self.count));
        let mut rows = [_mm512_setzero_si512(); 16];
        for (lane, row) in rows.iter_mut().enumerate() {
            // SAFETY: the first `count` are initialised; an idle lane repeats the first.
            let keys = unsafe { self.keys[if lane < self.count { lane } else { 0 }].assume_init() };
            *row = mem::load_words(keys);
        }
        transpose(&mut rows);
        let [a, b, c, d, e, outer @ ..] = rows;
        let mut sum = [a, b, c, d, e];
        if self.even {
            self.even_blocks(&mut sum)
        } else {
            self.uneven_blocks(&mut sum)
        }
        // The outer hash: the inner digest, the bit 1, and the length of key block and digest.
        let zero = _mm512_setzero_si512();
        let mut words = [zero; 16];
        words[..5].copy_from_slice(&sum);
        words[5] = _mm512_set1_epi32(i32::MIN);
        words[15] = _mm512_set1_epi32(8 * (BLOCK as i32 + 20));
        let [a, b, c, d, e, ..] = outer;
        let mut sum = [a, b, c, d, e];
        block(&mut sum, &words, u16::MAX, |_| {});
        let [a, b, c, d, _] = sum.map(|word| swapped(word));
        let mut codes = [[[0; 16]; 4]; 4];
        for (codes, quad) in codes.iter_mut().zip(quads([a, b, c, d])) {
            mem::store_blocks(codes, quad);
        }
        codes
    }

    /// All blocks of messages of one length: what stands behind them is put into the transposed words. A block is
    /// transposed while the one before it is hashed.
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    #[inline]
    fn even_blocks(&self, sum: &mut [__m512i; 5]) {
        let blocks = self.blocks[0] as usize;
        let zero = _mm512_setzero_si512();
        let (mut four, mut words, mut next) = ([zero; 16], [zero; 16], [zero; 16]);
        for step in 0..16 {
            self.prepare(0, step, &mut four, &mut words);
        }
        self.trailer(0, &mut words);
        for i in 1..blocks {
            block(sum, &words, u16::MAX, |step| self.prepare(i, step, &mut four, &mut next));
            self.trailer(i, &mut next);
            std::mem::swap(&mut words, &mut next);
        }
        block(sum, &words, u16::MAX, |_| {});
    }

    /// One of sixteen steps to transpose block `i`.
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    #[inline]
    fn prepare(&self, i: usize, step: usize, four: &mut [__m512i; 16], words: &mut [__m512i; 16]) {
        if step < 4 {
            let left = self.len.saturating_sub(BLOCK * i);
            let mask = mem::ones(left.min(BLOCK));
            let row = |lane: usize| {
                // SAFETY: all messages have the length that the mask was made from.
                unsafe { mem::load_masked(self.message(4 * step + lane), (BLOCK * i) as isize, mask) }
            };
            let [a, b, c, d] = quads([row(0), row(1), row(2), row(3)]);
            (four[step], four[4 + step], four[8 + step], four[12 + step]) = (a, b, c, d);
        } else if (8..12).contains(&step) {
            let w = step - 8;
            let [a, b, c, d] = places([four[4 * w], four[4 * w + 1], four[4 * w + 2], four[4 * w + 3]]);
            (words[w], words[4 + w], words[8 + w], words[12 + w]) =
                (swapped(a), swapped(b), swapped(c), swapped(d));
        }
    }

    /// Puts what of the trailer falls into block `i` behind the messages.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn trailer(&self, i: usize, words: &mut [__m512i; 16]) {
        let len = self.len;
        let (place, used) = ((len / 4).wrapping_sub(16 * i), 8 * (len % 4) as u32);
        let roc = mem::load_words(&self.rocs);
        // RFC 3711 section 4.2: the authenticated portion is the packet followed by the roll-over counter.
        if let Some(word) = words.get_mut(place) {
            *word = _mm512_or_si512(*word, _mm512_srl_epi32(roc, _mm_cvtsi32_si128(used as i32)));
        }
        if let Some(word) = words.get_mut(place.wrapping_add(1)) {
            let end = _mm512_set1_epi32((0x8000_0000_u32 >> used) as i32);
            *word = _mm512_or_si512(_mm512_sll_epi32(roc, _mm_cvtsi32_si128(32 - used as i32)), end);
        }
        if i + 1 == self.blocks[0] as usize {
            words[15] = _mm512_set1_epi32(8 * (BLOCK + len + 4) as i32);
        }
    }

    /// All blocks of messages of any lengths.
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    #[inline(never)]
    fn uneven_blocks(&self, sum: &mut [__m512i; 5]) {
        let mut tails = [[[0; BLOCK]; 2]; LANES];
        for (lane, tail) in tails.iter_mut().enumerate().take(self.count) {
            let message = self.message(lane);
            let rest = message.len() % BLOCK;
            let bytes = tail.as_flattened_mut();
            bytes[..rest].copy_from_slice(&message[message.len() - rest..]);
            bytes[rest..rest + 4].copy_from_slice(&self.rocs[lane].to_be_bytes());
            bytes[rest + 4] = 0x80;
            let end = BLOCK * (rest + TRAILER).div_ceil(BLOCK);
            let bits = 8 * (BLOCK + message.len() + 4) as u64;
            bytes[end - 8..end].copy_from_slice(&bits.to_be_bytes());
        }
        let most = self.blocks.iter().copied().max().unwrap_or(0);
        let blocks = mem::load_words(&self.blocks);
        for i in 0..most {
            let mut words = [_mm512_setzero_si512(); 16];
            for (lane, word) in words.iter_mut().enumerate() {
                let (whole, _) = self.message(lane).as_chunks::<BLOCK>();
                // Of a message that has ended any block will do.
                let tail = || &tails[lane][(i as usize - whole.len()) & 1];
                *word = mem::load_512(whole.get(i as usize).unwrap_or_else(tail));
            }
            transpose(&mut words);
            words.iter_mut().for_each(|word| *word = swapped(*word));
            let running = _mm512_cmpgt_epu32_mask(blocks, _mm512_set1_epi32(i as i32));
            block(sum, &words, running, |_| {});
        }
    }
}

/// The first 16 bytes of sixteen codes, in the order the vectors have them.
pub(super) type Codes = [[[u8; 16]; 4]; 4];

/// The code of one lane.
#[inline]
pub(super) fn code(codes: &Codes, lane: usize) -> &[u8; 16] {
    &codes[lane % 4][lane / 4]
}

/// Turns the bytes of each word around.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn swapped(words: __m512i) -> __m512i {
    let swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(swap))
}

/// Transposes four rows of four words within each 128 bits.
#[target_feature(enable = "avx512f")]
#[inline]
fn quads([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// Sixteen rows of sixteen words become sixteen columns.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn transpose(rows: &mut [__m512i; 16]) {
    let zero = _mm512_setzero_si512();
    // Within 128 bits: pairs of words, then pairs of pairs.
    let mut four = [zero; 16];
    for i in 0..4 {
        let [a, b, c, d] = quads([rows[4 * i], rows[4 * i + 1], rows[4 * i + 2], rows[4 * i + 3]]);
        (four[i], four[4 + i], four[8 + i], four[12 + i]) = (a, b, c, d);
    }
    // four[4 w + i] has, in its place p, word 4 p + w of rows 4 i to 4 i + 3: transpose places against i.
    for w in 0..4 {
        let [a, b, c, d] = places([four[4 * w], four[4 * w + 1], four[4 * w + 2], four[4 * w + 3]]);
        (rows[w], rows[4 + w], rows[8 + w], rows[12 + w]) = (a, b, c, d);
    }
}

/// Transposes four rows of four places of 128 bits.
#[target_feature(enable = "avx512f")]
#[inline]
fn places([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab_even, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
    let (cd_even, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
    [
        _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even),
        _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd),
        _mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even),
        _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd),
    ]
}

/// One round; the caller's names turn instead of the values.
macro_rules! round {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $k:ident, $w:expr) => {
        let turned = _mm512_rol_epi32::<5>($a);
        let f = _mm512_ternarylogic_epi32::<$f>($b, $c, $d);
        let constant = _mm512_add_epi32($w, $k);
        // Only the turned `a` is young; all else is added up while it is on its way.
        $e = _mm512_add_epi32(_mm512_add_epi32(_mm512_add_epi32($e, constant), f), turned);
        $b = _mm512_rol_epi32::<30>($b);
    };
}

/// Word `$t` of the schedule, from the sixteen before it.
macro_rules! word {
    ($words:ident, $t:expr) => {{
        if $t >= 16 {
            let old = _mm512_xor_si512($words[$t % 16], $words[($t + 2) % 16]);
            let new = _mm512_ternarylogic_epi32::<PARITY>(old, $words[($t + 8) % 16], $words[($t + 13) % 16]);
            $words[$t % 16] = _mm512_rol_epi32::<1>(new);
        }
        $words[$t % 16]
    }};
}

/// Five rounds from `$t` on: the names are back in place afterwards.
macro_rules! five_rounds {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $k:ident, $words:ident, $t:expr) => {
        round!($a, $b, $c, $d, $e, $f, $k, word!($words, $t));
        round!($e, $a, $b, $c, $d, $f, $k, word!($words, $t + 1));
        round!($d, $e, $a, $b, $c, $f, $k, word!($words, $t + 2));
        round!($c, $d, $e, $a, $b, $f, $k, word!($words, $t + 3));
        round!($b, $c, $d, $e, $a, $f, $k, word!($words, $t + 4));
    };
}

/// Twenty rounds with one function and one constant; after every five the caller has a step of other work to do.
macro_rules! twenty_rounds {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $constant:literal, $words:ident, $t:literal, $other:ident) => {
        let k = _mm512_set1_epi32($constant as i32);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t);
        $other($t / 5);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t + 5);
        $other($t / 5 + 1);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t + 10);
        $other($t / 5 + 2);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t + 15);
        $other($t / 5 + 3);
    };
}

/// One block of those messages that are `running`. `other` is independent work in sixteen steps, spread out evenly: the
/// rounds leave room for it.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn block(sum: &mut [__m512i; 5], words: &[__m512i; 16], running: __mmask16, mut other: impl FnMut(usize)) {
    let mut words = *words;
    let [mut a, mut b, mut c, mut d, mut e] = *sum;
    twenty_rounds!(a, b, c, d, e, CHOOSE, 0x5a82_7999_u32, words, 0, other);
    twenty_rounds!(a, b, c, d, e, PARITY, 0x6ed9_eba1_u32, words, 20, other);
    twenty_rounds!(a, b, c, d, e, MAJORITY, 0x8f1b_bcdc_u32, words, 40, other);
    twenty_rounds!(a, b, c, d, e, PARITY, 0xca62_c1d6_u32, words, 60, other);
    for (sum, value) in sum.iter_mut().zip([a, b, c, d, e]) {
        *sum = _mm512_mask_add_epi32(*sum, running, *sum, value);
    }
}
