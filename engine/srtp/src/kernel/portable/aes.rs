//! AES (FIPS 197), bitsliced: four blocks at once, no table, no branch and no address that depends on a secret.
//!
//! Eight 64-bit planes hold bit 0 to 7 of all 64 bytes. Byte `(block, column, row)` has its bit at position
//! `8 * (4 * (block & 1) + row) + 4 * (block >> 1) + column`, so that rows are bytes of a plane (MixColumns rotates
//! them) and columns are bits of a nibble (ShiftRows rotates those).

use zeroize::Zeroize;

/// Blocks worked on at once.
pub(crate) const LANES: usize = 4;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 16;

/// Most round keys a key has: 14 rounds of AES-256 and the first addition.
const MAX_ROUND_KEYS: usize = 15;

type Planes = [u64; 8];

/// An expanded key. Zeroized on drop.
#[derive(Clone)]
pub(crate) struct Aes {
    planes: [Planes; MAX_ROUND_KEYS],
    rounds: usize,
}

impl Aes {
    /// Expands a key of 16, 24 or 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Aes {
        let mut round_keys = [[0u8; BLOCK]; MAX_ROUND_KEYS];
        let rounds = expand(key, &mut round_keys);
        let mut planes = [[0; 8]; MAX_ROUND_KEYS];
        for (planes, round_key) in planes.iter_mut().zip(&round_keys) {
            *planes = pack(&[*round_key; LANES]);
        }
        round_keys.zeroize();
        Aes { planes, rounds }
    }

    /// Encrypts four blocks.
    pub(crate) fn encrypt(&self, blocks: &mut [[u8; BLOCK]; LANES]) {
        let mut state = pack(blocks);
        add(&mut state, &self.planes[0]);
        for round in 1..self.rounds {
            sub_bytes(&mut state);
            shift_rows(&mut state);
            mix_columns(&mut state);
            add(&mut state, &self.planes[round]);
        }
        sub_bytes(&mut state);
        shift_rows(&mut state);
        add(&mut state, &self.planes[self.rounds]);
        *blocks = unpack(state);
    }

    /// Encrypts one block.
    pub(crate) fn encrypt_one(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut blocks = [block; LANES];
        self.encrypt(&mut blocks);
        blocks[0]
    }
}

impl Drop for Aes {
    fn drop(&mut self) {
        self.planes.zeroize();
    }
}

/// The key schedule (FIPS 197 section 5.2): fills `round_keys` and returns the number of rounds.
pub(crate) fn expand(key: &[u8], round_keys: &mut [[u8; BLOCK]; MAX_ROUND_KEYS]) -> usize {
    let key_words = key.len() / 4;
    debug_assert!(matches!(key.len(), 16 | 24 | 32));
    let rounds = key_words + 6;
    let words = round_keys.as_flattened_mut();
    words[..key.len()].copy_from_slice(key);
    let mut round_constant = 1u8;
    for i in key_words..4 * (rounds + 1) {
        let mut word = [0u8; 4];
        word.copy_from_slice(&words[4 * (i - 1)..4 * i]);
        if i % key_words == 0 {
            word.rotate_left(1);
            word = sub_word(word);
            word[0] ^= round_constant;
            round_constant = (round_constant << 1) ^ (0x1b * (round_constant >> 7));
        } else if key_words == 8 && i % key_words == 4 {
            word = sub_word(word);
        }
        for (k, byte) in word.into_iter().enumerate() {
            words[4 * i + k] = words[4 * (i - key_words) + k] ^ byte;
        }
    }
    rounds
}

fn sub_word(word: [u8; 4]) -> [u8; 4] {
    let mut blocks = [[0; BLOCK]; LANES];
    blocks[0][..4].copy_from_slice(&word);
    let mut planes = pack(&blocks);
    sub_bytes(&mut planes);
    let [a, b, c, d, ..] = unpack(planes)[0];
    [a, b, c, d]
}

fn add(state: &mut Planes, key: &Planes) {
    for (plane, key) in state.iter_mut().zip(key) {
        *plane ^= key;
    }
}

/// Exchanges the bits of `a` under `mask << shift` with those of `b` under `mask`.
#[inline(always)]
fn swap(words: &mut Planes, a: usize, b: usize, shift: u32, mask: u64) {
    let difference = ((words[a] >> shift) ^ words[b]) & mask;
    words[b] ^= difference;
    words[a] ^= difference << shift;
}

/// Transposes each of the eight 8 x 8 bit matrices made of one byte of all eight words. Its own inverse.
#[inline(always)]
fn transpose(words: &mut Planes) {
    for a in [0, 2, 4, 6] {
        swap(words, a, a + 1, 1, 0x5555_5555_5555_5555);
    }
    for a in [0, 1, 4, 5] {
        swap(words, a, a + 2, 2, 0x3333_3333_3333_3333);
    }
    for a in [0, 1, 2, 3] {
        swap(words, a, a + 4, 4, 0x0f0f_0f0f_0f0f_0f0f);
    }
}

#[inline(always)]
fn pack(blocks: &[[u8; BLOCK]; LANES]) -> Planes {
    let column = |block: usize, column: usize| {
        let bytes = &blocks[block][4 * column..];
        u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let mut words = [0; 8];
    for (j, word) in words.iter_mut().enumerate() {
        let pair = j / 4 * 2;
        *word = column(pair, j % 4) | column(pair + 1, j % 4) << 32;
    }
    transpose(&mut words);
    words
}

#[inline(always)]
fn unpack(mut words: Planes) -> [[u8; BLOCK]; LANES] {
    transpose(&mut words);
    let mut blocks = [[0; BLOCK]; LANES];
    for (j, word) in words.into_iter().enumerate() {
        let bytes = word.to_le_bytes();
        let (pair, at) = (j / 4 * 2, j % 4 * 4);
        blocks[pair][at..at + 4].copy_from_slice(&bytes[..4]);
        blocks[pair + 1][at..at + 4].copy_from_slice(&bytes[4..]);
    }
    blocks
}

/// Row `r` turns left by `r` columns: its nibbles turn right by `r` bits.
#[inline(always)]
fn shift_rows(state: &mut Planes) {
    const ROW: u64 = 0x0000_00ff_0000_00ff;
    for plane in state {
        let p = *plane;
        *plane = (p & ROW) | turn(p, 1) & (ROW << 8) | turn(p, 2) & (ROW << 16) | turn(p, 3) & (ROW << 24);
    }
}

/// Turns every nibble right by `bits`.
#[inline(always)]
fn turn(plane: u64, bits: u32) -> u64 {
    let low = 0x1111_1111_1111_1111 * (0xf >> bits);
    ((plane >> bits) & low) | ((plane << (4 - bits)) & !low)
}

/// Turns every column up by `rows`.
#[inline(always)]
fn rows_up(plane: u64, rows: u32) -> u64 {
    let low = (0xffff_ffffu64 >> (8 * rows)) * 0x0000_0001_0000_0001;
    ((plane >> (8 * rows)) & low) | ((plane << (32 - 8 * rows)) & !low)
}

#[inline(always)]
fn mix_columns(state: &mut Planes) {
    let a = *state;
    let b = a.map(|plane| rows_up(plane, 1));
    let mut t = a;
    add(&mut t, &b);
    // 2 * (a + b): times x modulo x^8 + x^4 + x^3 + x + 1.
    let doubled = [t[7], t[0] ^ t[7], t[1], t[2] ^ t[7], t[3] ^ t[7], t[4], t[5], t[6]];
    for i in 0..8 {
        state[i] = doubled[i] ^ b[i] ^ rows_up(t[i], 2);
    }
}

// The S-box is an inversion in GF(2^8) and an affine map. The inversion is done in the tower GF(2^4)[y] / (y^2 + y + 8)
// over GF(2)[x] / (x^4 + x + 1), where it takes five small multiplications; two linear maps lead there and back.

const fn mul4(a: u8, b: u8) -> u8 {
    let mut product = 0;
    let mut i = 0;
    while i < 4 {
        product ^= (a << i) * (b >> i & 1);
        i += 1;
    }
    let mut i = 6;
    while i > 3 {
        product ^= (0b1_0011 << (i - 4)) * (product >> i & 1);
        i -= 1;
    }
    product
}

const LAMBDA: u8 = 8;

/// Product in the tower; the high nibble is the coefficient of y.
const fn mul_tower(a: u8, b: u8) -> u8 {
    let (a1, a0, b1, b0) = (a >> 4, a & 15, b >> 4, b & 15);
    let high = mul4(a1, b1);
    let low = mul4(a0, b0);
    let cross = mul4(a1 ^ a0, b1 ^ b0) ^ low;
    (cross << 4) | (low ^ mul4(high, LAMBDA))
}

/// Images of 1, x, .. x^7: powers of a root of the AES polynomial in the tower.
const TO_TOWER: [u8; 8] = {
    let mut root = 2u8;
    loop {
        let mut powers = [1u8; 9];
        let mut i = 1;
        while i < 9 {
            powers[i] = mul_tower(powers[i - 1], root);
            i += 1;
        }
        if powers[8] ^ powers[4] ^ powers[3] ^ powers[1] ^ powers[0] == 0 {
            break [powers[0], powers[1], powers[2], powers[3], powers[4], powers[5], powers[6], powers[7]];
        }
        root += 1;
    }
};

const fn apply(matrix: &[u8; 8], x: u8) -> u8 {
    let mut sum = 0;
    let mut i = 0;
    while i < 8 {
        sum ^= matrix[i] * (x >> i & 1);
        i += 1;
    }
    sum
}

/// Back from the tower, then the linear part of the S-box's affine map (FIPS 197 section 5.1.1).
const FROM_TOWER: [u8; 8] = {
    let mut columns = [0u8; 8];
    let mut i = 0;
    while i < 8 {
        let mut x = 0u8;
        while apply(&TO_TOWER, x) != 1 << i {
            x += 1;
        }
        columns[i] = x ^ x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4);
        i += 1;
    }
    columns
};

#[inline(always)]
fn linear(matrix: &[u8; 8], state: &Planes) -> Planes {
    let mut out = [0; 8];
    for (row, out) in out.iter_mut().enumerate() {
        for column in 0..8 {
            if matrix[column] >> row & 1 == 1 {
                *out ^= state[column];
            }
        }
    }
    out
}

type Nibble = [u64; 4];

#[inline(always)]
fn xor(a: Nibble, b: Nibble) -> Nibble {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

#[inline(always)]
fn mul(a: Nibble, b: Nibble) -> Nibble {
    let c4 = (a[1] & b[3]) ^ (a[2] & b[2]) ^ (a[3] & b[1]);
    let c5 = (a[2] & b[3]) ^ (a[3] & b[2]);
    let c6 = a[3] & b[3];
    [
        (a[0] & b[0]) ^ c4,
        (a[0] & b[1]) ^ (a[1] & b[0]) ^ c4 ^ c5,
        (a[0] & b[2]) ^ (a[1] & b[1]) ^ (a[2] & b[0]) ^ c5 ^ c6,
        (a[0] & b[3]) ^ (a[1] & b[2]) ^ (a[2] & b[1]) ^ (a[3] & b[0]) ^ c6,
    ]
}

#[inline(always)]
fn square(a: Nibble) -> Nibble {
    [a[0] ^ a[2], a[2], a[1] ^ a[3], a[3]]
}

/// Times [`LAMBDA`] = x^3.
#[inline(always)]
fn times_lambda(a: Nibble) -> Nibble {
    [a[1], a[1] ^ a[2], a[2] ^ a[3], a[0] ^ a[3]]
}

#[inline(always)]
fn sub_bytes(state: &mut Planes) {
    let [a, b, c, d, e, f, g, h] = linear(&TO_TOWER, state);
    let (low, high) = ([a, b, c, d], [e, f, g, h]);
    // The inverse of h y + l is (h y + h + l) / (lambda h^2 + h l + l^2); a nibble's inverse is its 14th power.
    let sum = xor(low, high);
    let norm = xor(times_lambda(square(high)), mul(low, sum));
    let second = square(norm);
    let fourth = square(second);
    let inverse = mul(mul(second, fourth), square(fourth));
    let [e, f, g, h] = mul(high, inverse);
    let [a, b, c, d] = mul(sum, inverse);
    *state = linear(&FROM_TOWER, &[a, b, c, d, e, f, g, h]);
    // The affine map's constant, 0x63.
    for i in [0, 1, 5, 6] {
        state[i] = !state[i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inversion and affine map as FIPS 197 words them.
    fn sbox(x: u8) -> u8 {
        let times = |a: u8, b: u8| {
            let (mut a, mut product) = (a, 0u8);
            for i in 0..8 {
                product ^= a * (b >> i & 1);
                a = (a << 1) ^ (0x1b * (a >> 7));
            }
            product
        };
        // x^254 is 1 / x, and 0 for 0.
        let y = (0..254).fold(1, |power, _| times(power, x));
        y ^ y.rotate_left(1) ^ y.rotate_left(2) ^ y.rotate_left(3) ^ y.rotate_left(4) ^ 0x63
    }

    #[test]
    fn s_box_of_all_bytes() {
        assert_eq!((sbox(0), sbox(0x53)), (0x63, 0xed));
        for x in 0..=255 {
            assert_eq!(sub_word([x, 0, x, 1]), [sbox(x), 0x63, sbox(x), 0x7c]);
        }
    }

    #[test]
    fn packing_is_its_own_inverse() {
        let mut blocks = [[0; 16]; 4];
        for (i, byte) in blocks.as_flattened_mut().iter_mut().enumerate() {
            *byte = (i * 37) as u8;
        }
        assert_eq!(unpack(pack(&blocks)), blocks);
    }

    #[test]
    fn fips_197_appendix_c() {
        let key: Vec<u8> = (0..32).collect();
        let block: [u8; 16] = std::array::from_fn(|i| (i * 0x11) as u8);
        for (len, expected) in [
            (16, 0x69c4e0d8_6a7b0430_d8cdb780_70b4c55a_u128),
            (24, 0xdda97ca4_864cdfe0_6eaf70a0_ec0d7191),
            (32, 0x8ea2b7ca_516745bf_eafc4990_4b496089),
        ] {
            let aes = Aes::new(&key[..len]);
            assert_eq!(u128::from_be_bytes(aes.encrypt_one(block)), expected);
            let mut blocks = [[0; 16]; 4];
            blocks[2] = block;
            aes.encrypt(&mut blocks);
            assert_eq!(u128::from_be_bytes(blocks[2]), expected);
            assert_eq!(blocks[1], aes.encrypt_one([0; 16]));
        }
    }
}
