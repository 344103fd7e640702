//! AES-CM with HMAC-SHA1 of one packet, for the least delay: no lanes to fill, nothing to transpose, and the hash as one chain of
//! rounds from the first block to the code.

use std::arch::x86_64::*;

use super::cm::{copy_header, crypt, put_tag, same};
use super::sha1::TRAILER;
use super::sha1_one::{Sum, highest, rounds, words};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::kernel::portable::sha1::BLOCK;
use crate::kernel::x86::{CmKeys, Laid, mem};

/// What is left of a message behind its whole blocks, with roll-over counter and padding: one block or two.
struct Tail([[u8; BLOCK]; 2]);

impl Tail {
    /// Blocks behind the whole ones of a message.
    fn count(len: usize) -> usize {
        (len % BLOCK + TRAILER).div_ceil(BLOCK)
    }

    /// `rest` is what the whole blocks of a message of `len` bytes leave.
    #[target_feature(enable = "avx512f,avx512bw,bmi2")]
    #[inline]
    fn set(&mut self, rest: &[u8], len: usize, roc: u32) {
        let used = rest.len();
        // SAFETY: as many bytes as there are.
        let text = unsafe { mem::load_masked(rest, 0, mem::ones(used)) };
        // RFC 3711 section 4.2: the authenticated portion is the packet followed by the roll-over counter. Turned by the place
        // it gets within a word, it can be put there from all words at once.
        let roc = _mm512_set1_epi32(roc.swap_bytes().rotate_left(8 * (used as u32 % 4)) as i32);
        let end = _mm512_set1_epi8(i8::MIN);
        let bits = _mm512_maskz_set1_epi64(0x80, (8 * (BLOCK + len + 4) as u64).swap_bytes() as i64);
        // Of 128 bytes the message has `used`, the counter the next four and the bit 1 the one behind them.
        let place = |bits: u128, at: usize| ((bits << at) as u64, ((bits << at) >> 64) as u64);
        let (roc_low, roc_high) = place(0xf, used);
        let (end_low, end_high) = place(1, used + 4);
        let low = _mm512_mask_mov_epi8(_mm512_mask_mov_epi8(text, roc_low, roc), end_low, end);
        let high = _mm512_mask_mov_epi8(_mm512_maskz_mov_epi8(roc_high, roc), end_high, end);
        let last = Tail::count(len) - 1;
        mem::store_512(&mut self.0[1], high);
        mem::store_512(&mut self.0[0], low);
        mem::store_512(&mut self.0[last], _mm512_or_si512(if last == 0 { low } else { high }, bits));
        _mm256_zeroupper();
    }

    #[inline(always)]
    fn block(&self, i: usize) -> &[u8; BLOCK] {
        &self.0[i & 1]
    }
}

/// The first 16 bytes of the code of `message` and a roll-over counter.
#[target_feature(enable = "sha,ssse3,sse4.1,avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
fn code<const N: usize>(keys: &CmKeys<N>, message: &[u8], roc: u32) -> [u8; 16] {
    let (whole, rest) = message.as_chunks::<BLOCK>();
    let mut tail = Tail([[0; BLOCK]; 2]);
    tail.set(rest, message.len(), roc);
    let (mut sum, highest) = (Sum::new(&keys.inner), highest());
    for i in 0..whole.len() + Tail::count(message.len()) {
        let block = words(whole.get(i).unwrap_or_else(|| tail.block(i - whole.len())));
        sum = rounds!(sum, block, highest);
    }
    let (last, outer) = (sum.outer_words(), Sum::new(&keys.outer));
    rounds!(outer, last, highest).bytes()
}

/// Protects one packet.
#[target_feature(enable = "vaes,sha,ssse3,sse4.1,avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
pub(super) fn protect<const N: usize>(job: &mut ProtectJob<'_>)
where
    CmKeys<N>: Laid,
{
    let keys = CmKeys::<N>::of(&job.keys.rtp);
    let (message, tag) = job.out.split_at_mut(job.header.len() + job.payload.len());
    let (header, text) = message.split_at_mut(job.header.len());
    copy_header(job.header, header);
    crypt(keys, job.index.ssrc, job.index.index, job.payload, text);
    put_tag(tag, &code(keys, message, (job.index.index >> 16) as u32));
}

/// Unprotects one packet.
#[target_feature(enable = "vaes,sha,ssse3,sse4.1,avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
pub(super) fn unprotect<const N: usize>(job: &mut UnprotectJob<'_>)
where
    CmKeys<N>: Laid,
{
    let keys = CmKeys::<N>::of(&job.keys.rtp);
    let (message, tag) = job.packet.split_at(job.out.len());
    job.authentic = same(&code(keys, message, (job.ticket.index >> 16) as u32), tag);
    if job.authentic {
        let (header, input) = message.split_at(job.ticket.header_len());
        let (out_header, out) = job.out.split_at_mut(header.len());
        copy_header(header, out_header);
        crypt(keys, job.ticket.ssrc, job.ticket.index, input, out);
    }
}
