//! SHA-1 by SHA-NI, one, two or four messages interleaved: a round waits for the one before it, so others fill the gap.

use std::arch::x86_64::*;

use crate::cpu::AesNi;
use crate::kernel::portable::sha1::State;
use crate::kernel::x86::hmac::Message;
use crate::kernel::x86::mem;

/// Takes blocks `from..until` of one, two or four messages into their states.
pub(crate) fn sha1(_proof: AesNi, states: &mut [State], messages: &[Message<'_>], from: usize, until: usize) {
    // SAFETY: the token proves the features.
    unsafe {
        if let (Ok(states), Ok(messages)) = ((&mut *states).try_into(), messages.try_into()) {
            lanes::<4>(states, messages, from, until);
        } else if let (Ok(states), Ok(messages)) = ((&mut *states).try_into(), messages.try_into()) {
            lanes::<2>(states, messages, from, until);
        } else {
            for (state, message) in states.iter_mut().zip(messages) {
                lanes::<1>(std::array::from_mut(state), std::array::from_ref(message), from, until);
            }
        }
    }
}

/// Four rounds on all lanes; `$f` names the round function.
macro_rules! four_rounds {
    ($lanes:ident, $abcd:ident, $before:ident, $words:ident, $group:literal, $f:literal) => {
        for k in 0..$lanes {
            let e = _mm_sha1nexte_epu32($before[k], $words[k][$group % 4]);
            $before[k] = $abcd[k];
            $abcd[k] = _mm_sha1rnds4_epu32::<$f>($abcd[k], e);
        }
        if $group < 16 {
            for k in 0..$lanes {
                let w = &mut $words[k];
                let next = _mm_xor_si128(
                    _mm_sha1msg1_epu32(w[$group % 4], w[($group + 1) % 4]),
                    w[($group + 2) % 4],
                );
                w[$group % 4] = _mm_sha1msg2_epu32(next, w[($group + 3) % 4]);
            }
        }
    };
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn lanes<const K: usize>(states: &mut [State; K], messages: &[Message<'_>; K], from: usize, until: usize) {
    let zero = _mm_setzero_si128();
    let swap = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let (mut abcd, mut e) = ([zero; K], [zero; K]);
    for k in 0..K {
        let [s0, s1, s2, s3, s4] = states[k].map(|word| word as i32);
        abcd[k] = _mm_set_epi32(s0, s1, s2, s3);
        e[k] = _mm_set_epi32(s4, 0, 0, 0);
    }
    for i in from..until {
        let mut words = [[zero; 4]; K];
        for k in 0..K {
            let (parts, _) = messages[k].block(i).as_chunks::<16>();
            for (word, part) in words[k].iter_mut().zip(parts) {
                *word = _mm_shuffle_epi8(mem::load(part), swap);
            }
        }
        let (start, mut before) = (abcd, [zero; K]);
        for k in 0..K {
            // SHA1NEXTE adds the old `a` turned by 30; the first group has `e` itself, so it is turned back by 30.
            before[k] = _mm_or_si128(_mm_slli_epi32::<2>(e[k]), _mm_srli_epi32::<30>(e[k]));
        }
        four_rounds!(K, abcd, before, words, 0, 0);
        four_rounds!(K, abcd, before, words, 1, 0);
        four_rounds!(K, abcd, before, words, 2, 0);
        four_rounds!(K, abcd, before, words, 3, 0);
        four_rounds!(K, abcd, before, words, 4, 0);
        four_rounds!(K, abcd, before, words, 5, 1);
        four_rounds!(K, abcd, before, words, 6, 1);
        four_rounds!(K, abcd, before, words, 7, 1);
        four_rounds!(K, abcd, before, words, 8, 1);
        four_rounds!(K, abcd, before, words, 9, 1);
        four_rounds!(K, abcd, before, words, 10, 2);
        four_rounds!(K, abcd, before, words, 11, 2);
        four_rounds!(K, abcd, before, words, 12, 2);
        four_rounds!(K, abcd, before, words, 13, 2);
        four_rounds!(K, abcd, before, words, 14, 2);
        four_rounds!(K, abcd, before, words, 15, 3);
        four_rounds!(K, abcd, before, words, 16, 3);
        four_rounds!(K, abcd, before, words, 17, 3);
        four_rounds!(K, abcd, before, words, 18, 3);
        four_rounds!(K, abcd, before, words, 19, 3);
        for k in 0..K {
            e[k] = _mm_sha1nexte_epu32(before[k], e[k]);
            abcd[k] = _mm_add_epi32(abcd[k], start[k]);
        }
    }
    for k in 0..K {
        states[k] = [
            _mm_extract_epi32::<3>(abcd[k]) as u32,
            _mm_extract_epi32::<2>(abcd[k]) as u32,
            _mm_extract_epi32::<1>(abcd[k]) as u32,
            _mm_extract_epi32::<0>(abcd[k]) as u32,
            _mm_extract_epi32::<3>(e[k]) as u32,
        ];
    }
}
