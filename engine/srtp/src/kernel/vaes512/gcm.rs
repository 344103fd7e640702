//! AES-GCM, one packet after the other; the processor overlaps them, since they are independent.
//!
//! The counter vector starts with the block that masks the tag, so that the text follows one place behind: bytes 0 to 47 in
//! the first vector. The place ahead of it, which the text leaves empty, takes the last block of associated data. A short
//! packet is one vector of AES and one of GHASH that way.

use std::arch::x86_64::*;

use super::aes::{Counter, RoundKeys, WIDE, encrypt, spread};
use super::ghash::Ghash;
use crate::batch::{ProtectJob, UnprotectJob};
use crate::ct;
use crate::kernel::GCM_TAG;
use crate::kernel::x86::{GcmKeys, Laid, mem};
use crate::nonce;

/// Bytes of the first vector that the text leaves to tag mask and associated data.
const LEAD: usize = 16;

/// One packet's hash, keystream and position.
struct Packet<'a, const N: usize> {
    keys: RoundKeys<N>,
    counter: Counter,
    hash: Ghash<'a>,
    /// The last block of associated data, in the first place.
    lead: __m512i,
    /// Both lengths, where the block behind the text's last one is.
    lengths: __m512i,
    /// Vectors that the hash takes in, associated data ahead of the last block not counted.
    vectors: usize,
}

impl<'a, const N: usize> Packet<'a, N> {
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn new(keys: &'a GcmKeys<N>, ssrc: u32, index: u64, aad: &[u8], text_len: usize) -> Packet<'a, N> {
        let ahead = aad.len().saturating_sub(1) / 16 * 16;
        let text_blocks = text_len.div_ceil(16);
        // Associated data ahead of its last block, in vectors filled from the end; its last block; text; lengths.
        let blocks = ahead.div_ceil(64) * 4 + 1 + text_blocks + 1;
        let mut hash = Ghash::new(&keys.powers, blocks);
        let nothing = _mm512_setzero_si512();
        let mut at = ahead as isize - ahead.next_multiple_of(64) as isize;
        while at < ahead as isize {
            hash.update(mem::load_around(&aad[..ahead], at), nothing);
            at += 64;
        }
        let lengths = _mm_set_epi64x(8 * aad.len() as i64, 8 * text_len as i64);
        let place = 0b11 << (2 * ((text_blocks + 1) % 4));
        let iv = nonce::gcm(&keys.salt, ssrc, index);
        let mut first = [0; 16];
        first[..nonce::GCM_SALT].copy_from_slice(&iv);
        first[15] = 1;
        Packet {
            keys: spread(&keys.round_keys),
            counter: Counter::new(mem::load(&first)),
            hash,
            lead: mem::load_around(&aad[ahead..], 0),
            lengths: _mm512_maskz_broadcast_i64x2(place, lengths),
            vectors: (text_blocks + 2).div_ceil(4),
        }
    }

    /// Vectors that the keystream covers: tag mask and text.
    fn stream_vectors(text_len: usize) -> usize {
        (LEAD + text_len).div_ceil(64)
    }

    /// Takes vector `i` of the text into the hash, with what goes beside it.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn hash(&mut self, i: usize, text: __m512i) {
        let nothing = _mm512_setzero_si512();
        let text = if i == 0 { _mm512_xor_si512(text, self.lead) } else { text };
        let last = i + 1 == self.vectors;
        self.hash.update(text, if last { self.lengths } else { nothing });
    }

    /// The tag, from the hash and the first vector of keystream.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn tag(self, mask: __m512i) -> [u8; GCM_TAG] {
        let mut tag = [0; GCM_TAG];
        mem::store(&mut tag, _mm_xor_si128(self.hash.finish(), _mm512_castsi512_si128(mask)));
        tag
    }

    /// Encrypts vectors `from..from + W` and takes them into the hash; gives the first vector of keystream.
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn seal<const W: usize>(&mut self, from: usize, input: &[u8], out: &mut [u8]) -> __m512i {
        let stream = encrypt(&self.keys, self.counter.next::<W>());
        for (i, stream) in (from..).zip(stream) {
            let at = 64 * i as isize - LEAD as isize;
            let text = _mm512_xor_si512(mem::load_around(input, at), stream);
            let text = mem::store_around(out, at, text);
            self.hash(i, text);
        }
        stream[0]
    }

    /// As [`Packet::seal`] for any number of vectors up to [`WIDE`].
    #[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
    #[inline]
    fn seal_some(&mut self, count: usize, from: usize, input: &[u8], out: &mut [u8]) -> __m512i {
        match count {
            1 => self.seal::<1>(from, input, out),
            2 => self.seal::<2>(from, input, out),
            3 => self.seal::<3>(from, input, out),
            _ => self.seal::<WIDE>(from, input, out),
        }
    }
}

#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
#[inline]
fn seal<const N: usize>(
    keys: &GcmKeys<N>,
    ssrc: u32,
    index: u64,
    aad: &[u8],
    input: &[u8],
    out: &mut [u8],
) -> [u8; GCM_TAG] {
    let mut packet = Packet::new(keys, ssrc, index, aad, input.len());
    let vectors = Packet::<N>::stream_vectors(input.len());
    let mask = packet.seal_some(vectors.min(WIDE), 0, input, out);
    let mut done = vectors.min(WIDE);
    while done < vectors {
        let count = (vectors - done).min(WIDE);
        packet.seal_some(count, done, input, out);
        done += count;
    }
    if packet.vectors > vectors {
        // The text fills its last vector, and the lengths stand alone.
        packet.hash(vectors, _mm512_setzero_si512());
    }
    packet.tag(mask)
}

#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
#[inline]
fn open<const N: usize>(
    keys: &GcmKeys<N>,
    ssrc: u32,
    index: u64,
    aad: &[u8],
    input: &[u8],
    expected: &[u8],
    out: &mut [u8],
) -> bool {
    let mut packet = Packet::new(keys, ssrc, index, aad, input.len());
    let [first] = encrypt(&packet.keys, packet.counter.next::<1>());
    for i in 0..packet.vectors {
        packet.hash(i, mem::load_around(input, 64 * i as isize - LEAD as isize));
    }
    let (keys, mut counter) = (packet.keys, packet.counter);
    if !ct::equal(&packet.tag(first), expected) {
        return false;
    }
    let at = -(LEAD as isize);
    mem::store_around(out, at, _mm512_xor_si512(mem::load_around(input, at), first));
    let mut at = at + 64;
    while at < input.len() as isize {
        let stream = encrypt(&keys, counter.next::<WIDE>());
        for stream in stream {
            mem::store_around(out, at, _mm512_xor_si512(mem::load_around(input, at), stream));
            at += 64;
        }
    }
    true
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
        let (header, rest) = job.out.split_at_mut(job.header.len());
        let (text, tag) = rest.split_at_mut(job.payload.len());
        header.copy_from_slice(job.header);
        let code = seal(keys, job.index.ssrc, job.index.index, job.header, job.payload, text);
        tag.copy_from_slice(&code);
    }
}

/// Unprotects the jobs named by `lanes`.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
pub(super) fn unprotect<const N: usize>(jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        let (message, tag) = job.packet.split_at(job.out.len());
        let (header, input) = message.split_at(job.ticket.header_len);
        let (out_header, out) = job.out.split_at_mut(job.ticket.header_len);
        job.authentic = open(keys, job.ticket.ssrc, job.ticket.index, header, input, tag, out);
        if job.authentic {
            out_header.copy_from_slice(header);
        }
    }
}
