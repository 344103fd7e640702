//! AES-GCM, one packet after the other; the processor overlaps them, since they are independent.
//!
//! The counter vector starts with the block that masks the tag, so that the text follows one place behind: bytes 0 to 47 in
//! the first vector. The place ahead of it, which the text leaves empty, takes the last block of associated data, and the
//! place behind the text takes the lengths. A short packet is one vector of AES and one of GHASH that way.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::aes::{counter_mode, encrypt, spread_all};
use super::ghash::{Products, first_power, turned};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::kernel::GCM_TAG;
use crate::kernel::x86::{GcmKeys, Laid, mem};

/// Bytes of the first vector that the text leaves to tag mask and associated data.
const LEAD: usize = 16;

/// Vectors worked on together: enough to hide the latency of a round, and one group of the hash.
const WIDE: usize = 4;

/// Vectors of the longest packet of the fast way: it has room for every packet of an Ethernet frame. Longer ones take
/// the slow way, and so do headers of more than one vector.
const MOST: usize = 24;

/// Bytes of text in [`MOST`] vectors.
const MOST_TEXT: usize = 64 * MOST - LEAD;

/// What to XOR a counter block of zero with, for every vector: block `4 v + l` has counter `4 v + l + 1`, and the lead is
/// the one that masks the tag.
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

/// What vectors of ciphertext are hashed with.
#[derive(Clone, Copy)]
struct Beside {
    /// The place of the first block's power.
    at: usize,
    /// Stands in the first block together with it.
    sum: __m512i,
    /// Stands in the last vector behind the text.
    behind: __m512i,
}

/// One packet on its way through the cipher.
struct Packet<'a, const N: usize> {
    keys: &'a GcmKeys<N>,
    /// The counter block of zero, the first round key added, in all places.
    start: __m512i,
    aad: &'a [u8],
    input: &'a [u8],
    /// Vectors of keystream.
    vectors: usize,
}

impl<'a, const N: usize> Packet<'a, N> {
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn new(keys: &'a GcmKeys<N>, ssrc: u32, index: u64, aad: &'a [u8], input: &'a [u8]) -> Packet<'a, N> {
        let start = mem::xor(keys.counter_zero(ssrc, index), mem::load(&keys.round_keys[0]));
        Packet {
            keys,
            start: _mm512_broadcast_i32x4(start),
            aad,
            input,
            vectors: (LEAD + input.len()).div_ceil(64),
        }
    }

    /// Which bytes of vector `i` belong to the text.
    #[target_feature(enable = "bmi2")]
    #[inline]
    fn mask(&self, i: usize) -> u64 {
        let head = if i == 0 { u64::MAX << LEAD } else { u64::MAX };
        mem::ones((LEAD + self.input.len() - 64 * i).min(64)) & head
    }

    /// Encrypts or decrypts vectors `from..from + W` into `out`, hashes the ciphertext with what is beside it, and gives the
    /// first vector of keystream. `LAST` if the packet's last vector is among them.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn vectors<const W: usize, const LAST: bool>(
        &self,
        round_keys: &[__m512i; N],
        from: usize,
        out: &mut impl Sink,
        hash: &mut Products,
        Beside { at, sum, behind }: Beside,
    ) -> __m512i {
        let mut blocks = [self.start; W];
        for (i, block) in blocks.iter_mut().enumerate() {
            *block = _mm512_xor_si512(*block, mem::load_blocks(&COUNTERS[from + i]));
        }
        let stream = encrypt(round_keys, blocks);
        for (i, stream) in stream.into_iter().enumerate() {
            let whole = !(LAST && i + 1 == W || from == 0 && i == 0);
            let offset = (64 * (from + i)) as isize - LEAD as isize;
            let mask = if whole { u64::MAX } else { self.mask(from + i) };
            // SAFETY: the mask has only bytes of the text; a vector that is neither the first nor the last is all text.
            let (input, text) = unsafe {
                let input = if whole {
                    mem::load_whole(self.input, offset as usize)
                } else {
                    mem::load_masked(self.input, offset, mask)
                };
                let text = _mm512_xor_si512(input, stream);
                out.put(from + i, offset, whole, mask, text);
                (input, text)
            };
            let cipher = match (out.opens(), whole) {
                (true, _) => input,
                (false, true) => text,
                (false, false) => _mm512_maskz_mov_epi8(mask, text),
            };
            let mut cipher = turned(cipher);
            if i == 0 {
                cipher = _mm512_xor_si512(cipher, sum);
            }
            if LAST && i + 1 == W {
                cipher = _mm512_xor_si512(cipher, behind);
            }
            hash.add(self.keys, at + 4 * i, cipher);
        }
        stream[0]
    }

    /// The packet's last `W` vectors, from `from` on; gives the first vector of keystream and the hash.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn last<const W: usize>(&self, from: usize, out: &mut impl Sink, sum: __m512i) -> (__m512i, __m512i) {
        let text_len = self.input.len();
        // Blocks from the first place of the first vector on: lead, text and lengths.
        let used = 1 + text_len.div_ceil(16) - 4 * from;
        let lengths = mem::halves(8 * text_len as u64, 8 * self.aad.len() as u64);
        let mut hash = Products::none();
        let at = first_power(used + 1);
        let mut behind = _mm512_setzero_si512();
        if used == 4 * W {
            hash.add(self.keys, first_power(1), _mm512_zextsi128_si512(lengths));
        } else {
            behind = _mm512_maskz_broadcast_i64x2(0b11 << (2 * (used % 4)), lengths);
        }
        if from == 0 && self.aad.len() > 16 {
            let (ahead, blocks) = self.ahead();
            hash.add(self.keys, at - blocks, ahead);
        }
        let round_keys = spread_all(&self.keys.round_keys);
        let first = self.vectors::<W, true>(&round_keys, from, out, &mut hash, Beside { at, sum, behind });
        (first, hash.reduce())
    }

    /// Associated data ahead of its last block, turned around, and its number of blocks. One vector at most.
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    #[inline]
    fn ahead(&self) -> (__m512i, usize) {
        let blocks = (self.aad.len() - 1) / 16;
        // SAFETY: shorter than the associated data.
        (turned(unsafe { mem::load_masked(self.aad, 0, mem::ones(16 * blocks)) }), blocks)
    }

    /// The last block of associated data, turned around, in the first place.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi2,ssse3")]
    #[inline]
    fn lead(&self) -> __m512i {
        let ahead = (self.aad.len() - 1) & !15;
        // SAFETY: the rest of the associated data, at most 16 bytes.
        turned(unsafe { mem::load_masked(self.aad, ahead as isize, mem::ones(self.aad.len() - ahead)) })
    }

    /// The whole packet into `out`; gives the tag.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn run(&self, out: &mut impl Sink) -> __m128i {
        let mut sum = self.lead();
        let (mask, sum) = match self.vectors {
            1 => self.last::<1>(0, out, sum),
            2 => self.last::<2>(0, out, sum),
            3 => self.last::<3>(0, out, sum),
            4 => self.last::<4>(0, out, sum),
            vectors => {
                let nothing = _mm512_setzero_si512();
                let mut hash = Products::none();
                let group = first_power(4 * WIDE);
                let round_keys = spread_all(&self.keys.round_keys);
                if self.aad.len() > 16 {
                    let (ahead, blocks) = self.ahead();
                    hash.add(self.keys, group - blocks, ahead);
                }
                let mask = self.vectors::<WIDE, false>(
                    &round_keys,
                    0,
                    out,
                    &mut hash,
                    Beside { at: group, sum, behind: nothing },
                );
                sum = hash.reduce();
                let mut done = WIDE;
                while vectors - done > WIDE {
                    let mut hash = Products::none();
                    self.vectors::<WIDE, false>(
                        &round_keys,
                        done,
                        out,
                        &mut hash,
                        Beside { at: group, sum, behind: nothing },
                    );
                    sum = hash.reduce();
                    done += WIDE;
                }
                let (_, sum) = match vectors - done {
                    1 => self.last::<1>(done, out, sum),
                    2 => self.last::<2>(done, out, sum),
                    3 => self.last::<3>(done, out, sum),
                    _ => self.last::<4>(done, out, sum),
                };
                (mask, sum)
            }
        };
        masked(sum, mask)
    }

    /// The text of a packet of `W` vectors into `out`, if `tag` is right.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn open_few<const W: usize>(&self, tag: __m128i, out: &mut [u8]) -> bool {
        let mut text = OpenFew([_mm512_setzero_si512(); W]);
        let (mask, sum) = self.last::<W>(0, &mut text, self.lead());
        let good = same(masked(sum, mask), tag);
        if good {
            for (i, text) in text.0.into_iter().enumerate() {
                self.store(i, i == 0 || i + 1 == W, text, out);
            }
        }
        good
    }

    /// The text of a longer packet into `out`, if `tag` is right.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn open(&self, tag: __m128i, waiting: &mut [MaybeUninit<__m512i>; MOST], out: &mut [u8]) -> bool {
        let good = same(self.run(&mut Open(waiting)), tag);
        if good {
            let [first, middle @ .., last] = &waiting[..self.vectors] else { return false };
            // SAFETY: `run` wrote every vector of the packet.
            let written = |text: &MaybeUninit<__m512i>| unsafe { text.assume_init() };
            self.store(0, true, written(first), out);
            for (i, text) in middle.iter().enumerate() {
                self.store(i + 1, false, written(text), out);
            }
            self.store(self.vectors - 1, true, written(last), out);
        }
        good
    }

    /// Stores vector `i` of the text, the first and the last at its `edge`.
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    #[inline]
    fn store(&self, i: usize, edge: bool, text: __m512i, out: &mut [u8]) {
        let offset = (64 * i) as isize - LEAD as isize;
        // SAFETY: the mask has only bytes of the text; a vector that is neither the first nor the last is all text.
        unsafe {
            if edge {
                mem::store_masked(out, offset, self.mask(i), text);
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
trait Sink {
    /// Whether what goes there is plaintext.
    fn opens(&self) -> bool;
    /// Takes those bytes of a vector that `mask` has; all if it is `whole`.
    ///
    /// # Safety
    /// They lie in the text, which has `offset` as the offset of the vector's first byte.
    unsafe fn put(&mut self, i: usize, offset: isize, whole: bool, mask: u64, text: __m512i);
}

/// Ciphertext goes where it will be sent from.
struct Seal<'a>(&'a mut [u8]);

impl Sink for Seal<'_> {
    #[inline(always)]
    fn opens(&self) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn put(&mut self, _i: usize, offset: isize, whole: bool, mask: u64, text: __m512i) {
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

/// Plaintext waits here until the tag turns out right.
struct Open<'a>(&'a mut [MaybeUninit<__m512i>; MOST]);

impl Sink for Open<'_> {
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

/// Whether a packet goes the fast way.
#[inline]
fn fits(aad: &[u8], text_len: usize) -> bool {
    (1..=64).contains(&aad.len()) && text_len <= MOST_TEXT
}

/// Protects the jobs named by `lanes`.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
pub(super) fn protect<const N: usize>(jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        let (ssrc, index) = (job.index.ssrc, job.index.index);
        let (header, rest) = job.out.split_at_mut(job.header.len());
        let (text, tag) = rest.split_at_mut(job.payload.len());
        let Some(tag) = tag.first_chunk_mut::<GCM_TAG>() else { continue };
        if !fits(job.header, text.len()) {
            header.copy_from_slice(job.header);
            mem::store(tag, seal_long(keys, ssrc, index, job.header, job.payload, text));
            continue;
        }
        copy_header(job.header, header);
        let packet = Packet::new(keys, ssrc, index, job.header, job.payload);
        let code = packet.run(&mut Seal(text));
        mem::store(tag, code);
    }
}

/// Unprotects the jobs named by `lanes`.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
pub(super) fn unprotect<const N: usize>(jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    let mut waiting = [const { MaybeUninit::uninit() }; MOST];
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        let (ssrc, index) = (job.ticket.ssrc, job.ticket.index);
        let (message, tag) = job.packet.split_at(job.out.len());
        let (header, input) = message.split_at(job.ticket.header_len());
        let (out_header, out) = job.out.split_at_mut(job.ticket.header_len());
        let Some(tag) = tag.first_chunk::<GCM_TAG>() else { continue };
        if !fits(header, input.len()) {
            job.authentic = open_long(keys, ssrc, index, header, input, tag, out);
            if job.authentic {
                out_header.copy_from_slice(header);
            }
            continue;
        }
        let packet = Packet::new(keys, ssrc, index, header, input);
        let tag = mem::load(tag);
        job.authentic = match packet.vectors {
            1 => packet.open_few::<1>(tag, out),
            2 => packet.open_few::<2>(tag, out),
            3 => packet.open_few::<3>(tag, out),
            4 => packet.open_few::<4>(tag, out),
            _ => packet.open(tag, &mut waiting, out),
        };
        if job.authentic {
            copy_header(header, out_header);
        }
    }
}

/// Compares two tags; how long it takes does not depend on them.
#[target_feature(enable = "avx512vl,avx512f")]
#[inline]
fn same(a: __m128i, b: __m128i) -> bool {
    let difference = _mm_xor_si128(a, b);
    std::hint::black_box(_mm_test_epi64_mask(difference, difference)) == 0
}

/// Copies a header of at most one vector.
#[target_feature(enable = "avx512f,avx512bw,bmi2")]
#[inline]
fn copy_header(header: &[u8], out: &mut [u8]) {
    debug_assert_eq!(header.len(), out.len());
    let mask = mem::ones(header.len());
    // SAFETY: as many bytes as both have.
    unsafe { mem::store_masked(out, 0, mask, mem::load_masked(header, 0, mask)) }
}

/// Any length of text and associated data.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
fn seal_long<const N: usize>(
    keys: &GcmKeys<N>,
    ssrc: u32,
    index: u64,
    aad: &[u8],
    input: &[u8],
    out: &mut [u8],
) -> __m128i {
    counter_mode(&keys.round_keys, keys.counter(ssrc, index, 2), input, out);
    code_long(keys, ssrc, index, aad, out)
}

/// Any length of text and associated data.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
fn open_long<const N: usize>(
    keys: &GcmKeys<N>,
    ssrc: u32,
    index: u64,
    aad: &[u8],
    input: &[u8],
    expected: &[u8; GCM_TAG],
    out: &mut [u8],
) -> bool {
    let good = same(code_long(keys, ssrc, index, aad, input), mem::load(expected));
    if good {
        counter_mode(&keys.round_keys, keys.counter(ssrc, index, 2), input, out);
    }
    good
}

/// The tag of any length of text and associated data.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
fn code_long<const N: usize>(keys: &GcmKeys<N>, ssrc: u32, index: u64, aad: &[u8], text: &[u8]) -> __m128i {
    let mut sum = _mm512_setzero_si512();
    for data in [aad, text] {
        for part in data.chunks(64) {
            let mut hash = Products::none();
            let blocks = turned(mem::load_around(part, 0));
            hash.add(keys, first_power(part.len().div_ceil(16)), _mm512_xor_si512(blocks, sum));
            sum = hash.reduce();
        }
    }
    let lengths = mem::halves(8 * text.len() as u64, 8 * aad.len() as u64);
    let mut hash = Products::none();
    hash.add(keys, first_power(1), _mm512_xor_si512(_mm512_zextsi128_si512(lengths), sum));
    let sum = _mm512_castsi512_si128(turned(hash.reduce()));
    let mask =
        _mm512_zextsi128_si512(_mm_xor_si128(keys.counter(ssrc, index, 1), mem::load(&keys.round_keys[0])));
    let [mask] = encrypt(&spread_all(&keys.round_keys), [mask]);
    _mm_xor_si128(sum, _mm512_castsi512_si128(mask))
}
